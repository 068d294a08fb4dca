/* fatal.c - reports corruption and aborts: one noreturn function per kind.
 *
 * Owns:       the wording of every fatal message.
 * Threads:    any, in any state.
 * Locks:      none.
 * Invariants: DIE-1  one line, one write, then abort; the stacks of a sampled block in between.
 */
#include "base/fatal.h"

#include "base/check.h"
#include "base/line.h"
#include "base/proc_maps.h"

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

void fatal_add_place(struct line *line, const void *address)
{
    struct proc_maps_place place;
    proc_maps_find(address, &place);
    if (place.kind == PROC_MAPS_FILE) {
        line_add_bytes(line, place.path.text, place.path.used);
        line_add(line, "+");
        line_add_hex(line, place.file_offset);
    } else {
        line_add_hex(line, (uintptr_t)address);
    }
}

static void tell(const char *what, const void *ptr, size_t block_bytes, const char *before_place,
                 const void *caller)
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
        line_add(&line, before_place);
        fatal_add_place(&line, caller);
    }
    line_write(&line, STDERR_FILENO); // DIE-1
}

NORETURN static void die(const char *what, const void *ptr, size_t block_bytes, const void *caller)
{
    tell(what, ptr, block_bytes, ", called from ", caller);
    check_abort();
}

void fatal_double_free(const void *ptr, size_t block_bytes, const void *caller)
{
    die("double free of", ptr, block_bytes, caller);
}

void fatal_interior_free(const void *ptr, size_t block_bytes, const void *caller)
{
    die("free of a pointer inside a block:", ptr, block_bytes, caller);
}

void fatal_misaligned_free(const void *ptr, const void *caller)
{
    die("free of a misaligned pointer:", ptr, 0, caller);
}

void fatal_invalid_free(const void *ptr, const void *caller)
{
    die("free of an invalid pointer:", ptr, 0, caller);
}

void fatal_foreign_free(const void *ptr, const void *caller)
{
    die("free of a foreign pointer:", ptr, 0, caller);
}

void fatal_realloc_freed(const void *ptr, size_t block_bytes, const void *caller)
{
    die("realloc of a freed block:", ptr, block_bytes, caller);
}

void fatal_overwritten_block(const void *ptr, size_t block_bytes, const void *caller)
{
    die("corrupted free list at", ptr, block_bytes, caller);
}

// Hardened mode: detected when the block is reused, or its memory released.
void fatal_write_after_free(const void *ptr, size_t block_bytes, const void *caller)
{
    die("write to a freed block:", ptr, block_bytes, caller);
}

// Hardened mode: detected when the block is freed or resized.
void fatal_overflow(const void *ptr, size_t block_bytes, const void *caller)
{
    die("write past the end of", ptr, block_bytes, caller);
}

void fatal_underflow(const void *ptr, size_t block_bytes, const void *caller)
{
    die("write before the beginning of", ptr, block_bytes, caller);
}

// Hardened mode: free_sized and similar functions.
void fatal_wrong_size(const void *ptr, size_t block_bytes, const void *caller)
{
    die("free with the wrong size or alignment:", ptr, block_bytes, caller);
}

// Hardened mode: malloc_usable_size of what is not a block in use; 0 bytes: not our memory.
void fatal_wrong_look(const void *ptr, size_t block_bytes, const void *caller)
{
    die("malloc_usable_size of an invalid pointer:", ptr, block_bytes, caller);
}

void fatal_excess_free(const void *ptr, size_t block_bytes, const void *caller)
{
    die("too many frees in the slab of", ptr, block_bytes, caller);
}

// free or realloc of a block that myalloc_pool_alloc returned.
void fatal_pool_block(const void *ptr, const void *caller)
{
    die("free of a pool block:", ptr, 0, caller);
}

void fatal_pool_foreign(const void *ptr, const void *caller)
{
    die("free into a pool that does not own it:", ptr, 0, caller);
}

void fatal_pool_dead(const void *pool, const void *caller)
{
    die("use of a destroyed pool:", pool, 0, caller);
}

static void tell_stack(const char *what, const struct fatal_stack *stack)
{
    for (uint32_t i = 0; i < stack->count; i++) {
        struct line line = {.used = 0};
        line_add(&line, "myalloc: ");
        line_add(&line, i == 0 ? what : "  from ");
        if (i == 0) {
            line_add(&line, " by thread ");
            line_add_number(&line, stack->thread_id);
            line_add(&line, " at ");
        }
        fatal_add_place(&line, stack->frames[i]);
        line_write(&line, STDERR_FILENO);
    }
}

void fatal_sampled(enum fatal_sampled_kind kind, const struct fatal_story *story,
                   const void *caller)
{
    static const char *const what[] = {
        [FATAL_ACCESS_FREED] = "access to a freed block:",
        [FATAL_ACCESS_BEFORE] = "access before the beginning of",
        [FATAL_ACCESS_BEHIND] = "access past the end of",
        [FATAL_SAMPLED_DOUBLE] = "double free of",
        [FATAL_SAMPLED_OVERFLOW] = "write past the end of",
    };
    bool is_access = kind <= FATAL_ACCESS_BEHIND;
    tell(what[kind], story->ptr, story->block_bytes, is_access ? ", at " : ", called from ",
         caller);
    tell_stack("allocated", story->taken);
    if (story->freed != NULL) {
        tell_stack("freed", story->freed);
    }
    check_abort();
}
