/* fatal.h - reports corruption and aborts: one function for each kind that we detect.
 *
 * Each prints one line on stderr, "myalloc: fatal: WHAT of 0xADDR (N-byte block), called from
 * /path/of/program+0xOFFSET", and aborts. Nothing is allocated, no lock is acquired or released.
 * `caller` is a return address in the code that called us; NULL omits the clause. `block_bytes` 0
 * omits the size.
 */
#ifndef BASE_FATAL_H
#define BASE_FATAL_H

#include "base/compiler.h"

#include <stddef.h>
#include <stdint.h>

NORETURN COLD void fatal_double_free(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void fatal_interior_free(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void fatal_misaligned_free(const void *ptr, const void *caller);
NORETURN COLD void fatal_invalid_free(const void *ptr, const void *caller);
NORETURN COLD void fatal_foreign_free(const void *ptr, const void *caller);
NORETURN COLD void fatal_realloc_freed(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void fatal_overwritten_block(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void fatal_write_after_free(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void fatal_wrong_size(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void fatal_wrong_look(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void fatal_overflow(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void fatal_underflow(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void fatal_excess_free(const void *ptr, size_t block_bytes, const void *caller);
NORETURN COLD void fatal_pool_block(const void *ptr, const void *caller);
NORETURN COLD void fatal_pool_foreign(const void *ptr, const void *caller);
NORETURN COLD void fatal_pool_dead(const void *pool, const void *caller);

// The report of guard:N about a sampled block. Its line is followed by the stacks where the block
// was allocated and, if it is free, where it was freed, one line per frame.
#define FATAL_FRAMES_MAX 16
struct fatal_stack {
    uint32_t thread_id;
    uint32_t count;
    const void *frames[FATAL_FRAMES_MAX];
};
struct fatal_story {
    const void *ptr;
    size_t block_bytes;
    const struct fatal_stack *taken, *freed; // freed NULL: the block is in use
};
enum fatal_sampled_kind {
    FATAL_ACCESS_FREED,
    FATAL_ACCESS_BEFORE,
    FATAL_ACCESS_BEHIND,
    FATAL_SAMPLED_DOUBLE,
    FATAL_SAMPLED_OVERFLOW,
};
NORETURN COLD void fatal_sampled(enum fatal_sampled_kind kind, const struct fatal_story *story,
                                 const void *caller);

struct line;
// Appends "/path/of/program+0xOFFSET" for an address in a mapped file, or else the address.
void fatal_add_place(struct line *line, const void *address);

#endif
