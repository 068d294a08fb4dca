/* guard.h - guard:N: a pool of pages for sampled blocks, one block to a page, hidden pages between
 * them. A block that is misused is told with the stacks of its allocation and of its free. */
#ifndef SAMPLING_GUARD_H
#define SAMPLING_GUARD_H

#include "base/lock.h"
#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guard_pool {
    uintptr_t start; // [const] 0 while guard is off, like `bytes`
    size_t bytes;    // [const]
    uint64_t every;  // [const] one in so many blocks is sampled
};
extern HIDDEN struct guard_pool g_guard;

// Makes the pool; without memory for it guard stays off. Once, before the first request.
void guard_start(uint64_t every);
// Finds the unwinder, if the system has one, and takes over SIGSEGV and SIGBUS. Once, after the
// start: may allocate.
void guard_arm(void);

static inline bool guard_is_inside(const void *ptr)
{
    return (uintptr_t)ptr - g_guard.start < g_guard.bytes;
}

// A block of at most a page; NULL when the pool is used up.
void *guard_allocate(size_t bytes, uint64_t random, const void *caller);

enum guard_finding { GUARD_IN_USE, GUARD_FREED, GUARD_INTERIOR };
// What stands at `ptr`, which is inside; *bytes: of the block.
enum guard_finding guard_find(const void *ptr, size_t *bytes);

// Frees what begins at `ptr`, which is inside; dies, with both stacks, when it was misused.
void guard_free(void *ptr, const void *caller);

// The block in the place `at`, from 0 on; false: there is no such place. *ptr NULL: none in use.
bool guard_look(unsigned at, const void **ptr, size_t *bytes);

void guard_each_lock(lock_visitor *visit); // for a fork

#endif
