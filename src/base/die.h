/* die.h - the only exit: everything that we detect, one function per kind of corruption.
 *
 * Each prints one line on stderr, "myalloc: fatal: WHAT of 0xADDR (N-byte block), called from
 * /path/of/program+0xOFFSET", and aborts. Nothing is allocated, no lock is taken or released.
 * `caller` is a return address inside the code that called us; NULL leaves the clause out.
 * `block_bytes` 0 leaves the size out.
 */
#ifndef BASE_DIE_H
#define BASE_DIE_H

#include "base/compiler.h"

#include <stddef.h>
#include <stdint.h>

NORETURN COLD void die_double_free(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void die_interior_free(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void die_misaligned_free(const void *ptr, const void *caller);
NORETURN COLD void die_invalid_free(const void *ptr, const void *caller);
NORETURN COLD void die_foreign_free(const void *ptr, const void *caller);
NORETURN COLD void die_realloc_freed(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void die_overwritten_block(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void die_write_after_free(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void die_overflow(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void die_underflow(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void die_excess_free(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void die_pool_block(const void *ptr, const void *caller);
NORETURN COLD void die_pool_foreign(const void *ptr, const void *caller);
NORETURN COLD void die_pool_dead(const void *pool, const void *caller);

// What guard:N tells of a sampled block. The line about it is followed by more: where it was
// allocated and, when it is freed, where that was, one frame a line.
#define DIE_FRAMES_MAX 16
struct die_stack {
    uint32_t thread_id;
    uint32_t count;
    const void *frames[DIE_FRAMES_MAX];
};
struct die_story {
    const void *ptr;
    size_t block_bytes;
    const struct die_stack *taken, *freed; // freed NULL: it is in use
};
enum die_sampled_kind {
    DIE_ACCESS_FREED,
    DIE_ACCESS_BEFORE,
    DIE_ACCESS_BEHIND,
    DIE_SAMPLED_DOUBLE,
    DIE_SAMPLED_OVERFLOW,
};
NORETURN COLD void die_sampled(enum die_sampled_kind kind, const struct die_story *story,
                               const void *caller);

NORETURN COLD void die_bug(const char *condition, const char *file, int line);

struct line;
// Appends "/path/of/program+0xOFFSET" for an address inside a mapped file, else the address.
void die_add_place(struct line *line, const void *address);

#endif
