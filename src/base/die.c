/* die.c - the only exit: one noreturn function per kind of corruption.
 *
 * Owns:       the wording of every fatal message.
 * Threads:    any, in any state.
 * Locks:      none.
 * Invariants: DIE-1  one line, one write, then abort.
 */
#include "base/die.h"

#include "base/line.h"
#include "base/maps.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

void die_add_place(struct line *line, const void *address)
{
    struct maps_place place;
    maps_find(address, &place);
    if (place.kind == MAPS_FILE) {
        line_add_bytes(line, place.path.text, place.path.used);
        line_add(line, "+");
        line_add_hex(line, place.file_offset);
    } else {
        line_add_hex(line, (uintptr_t)address);
    }
}

NORETURN static void die(const char *what, const void *ptr, size_t block_bytes, const void *caller)
{
    struct line line = {.used = 0};
    line_add(&line, "myalloc: fatal: ");
    line_add(&line, what);
    line_add(&line, " ");
    line_add_hex(&line, (uintptr_t)ptr);
    if (block_bytes != 0) {
        line_add(&line, " (");
        line_add_number(&line, block_bytes);
        line_add(&line, "-byte block)");
    }
    if (caller != NULL) {
        line_add(&line, ", called from ");
        die_add_place(&line, caller);
    }
    line_write(&line, STDERR_FILENO); // DIE-1
    abort();
}

void die_double_free(const void *ptr, size_t block_bytes, const void *caller)
{
    die("double free of", ptr, block_bytes, caller);
}

void die_interior_free(const void *ptr, size_t block_bytes, const void *caller)
{
    die("free of a pointer inside a block:", ptr, block_bytes, caller);
}

void die_misaligned_free(const void *ptr, const void *caller)
{
    die("free of a misaligned pointer:", ptr, 0, caller);
}

void die_invalid_free(const void *ptr, const void *caller)
{
    die("free of an invalid pointer:", ptr, 0, caller);
}

void die_foreign_free(const void *ptr, const void *caller)
{
    die("free of a foreign pointer:", ptr, 0, caller);
}

void die_realloc_freed(const void *ptr, size_t block_bytes, const void *caller)
{
    die("realloc of a freed block:", ptr, block_bytes, caller);
}

void die_overwritten_block(const void *ptr, size_t block_bytes, const void *caller)
{
    die("write to a free block behind", ptr, block_bytes, caller);
}

void die_excess_free(const void *ptr, size_t block_bytes, const void *caller)
{
    die("more frees than blocks beside", ptr, block_bytes, caller);
}

// free or realloc of what myalloc_pool_alloc returned.
void die_pool_block(const void *ptr, const void *caller)
{
    die("free of a block of a pool:", ptr, 0, caller);
}

void die_pool_foreign(const void *ptr, const void *caller)
{
    die("free into a pool that does not have it:", ptr, 0, caller);
}

void die_pool_dead(const void *pool, const void *caller)
{
    die("use of a destroyed pool:", pool, 0, caller);
}

void die_bug(const char *condition, const char *file, int line_number)
{
    struct line line = {.used = 0};
    line_add(&line, "myalloc: fatal: broken invariant: ");
    line_add(&line, condition);
    line_add(&line, " at ");
    line_add(&line, file);
    line_add(&line, ":");
    line_add_number(&line, (uint64_t)line_number);
    line_write(&line, STDERR_FILENO); // DIE-1
    abort();
}
