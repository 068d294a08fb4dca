/* guard.h - guard:N: a pool of pages for sampled blocks, one block per page, hidden pages between
 * them. Misuse of a block is reported with the stacks of its allocation and of its free. */
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
    uint64_t every;  // [const] one in this many blocks is sampled
};
extern HIDDEN struct guard_pool g_guard;

// Creates the pool; without memory for it guard stays off. Once, before the first request.
void guard_start(uint64_t every);
// Finds the unwinder, if the system has one, and installs handlers of SIGSEGV and SIGBUS. Once,
// after the startup: may allocate.
void guard_arm(void);

static inline bool guard_is_inside(const void *ptr)
{
    return (uintptr_t)ptr - g_guard.start < g_guard.bytes;
}

// Allocates at most a page; NULL when the pool is exhausted.
void *guard_allocate(size_t bytes, uint64_t random, const void *caller);

enum guard_finding { GUARD_IN_USE, GUARD_FREED, GUARD_INTERIOR };
// Looks up `ptr`, which is inside; *bytes: size of the block.
enum guard_finding guard_find(const void *ptr, size_t *bytes);

// Frees the block at `ptr`, which is inside; dies, with both stacks, when it was misused.
void guard_free(void *ptr, const void *caller);

// The block in place number `at`, from 0 on; false: no such place. *ptr NULL: none in use.
bool guard_look(unsigned at, const void **ptr, size_t *bytes);

void guard_each_lock(lock_visitor *visit); // for a fork

#endif
