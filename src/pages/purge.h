/* purge.h - when free memory goes back to the kernel. Any thread; no lock held by the caller. */
#ifndef PAGES_PURGE_H
#define PAGES_PURGE_H

#include <stdbool.h>
#include <stddef.h>

struct purge_settings {
    bool enabled;         // false: keep everything (for comparison)
    size_t trim_bytes;    // free memory at the end beyond which the break is lowered; 0: default
    size_t top_pad_bytes; // kept at the end when it is
};
void purge_configure(const struct purge_settings *settings);
// Memory goes back to the kernel.
bool purge_is_on(void);

// After `given_bytes` were given back: purges when more than the budget is dirty. Bounded work.
void purge_consider(size_t given_bytes);

// Now and then, from slow paths of programs that do not free much: what was kept for a load that is
// over goes back. True when a window of a second or more has ended.
bool purge_tick(void);

// What is kept for another rise is more than twice what is kept anyway.
bool purge_keeps_much(void);

// malloc_trim: everything free goes back but `pad_bytes` at the end; true when something did.
bool purge_all(size_t pad_bytes);

// Bytes of dirty free memory that may stay now.
size_t purge_budget_bytes(void);
// From huge.c: bytes of huge blocks in use and in its cache; how much that cache may be.
size_t purge_room_for_huge(size_t used_bytes, size_t cached_bytes);
// The recent peak of memory in use, as far as frees noticed it.
size_t purge_peak_bytes(void);

#endif
