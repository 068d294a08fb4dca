/* purge.h - returns free memory to the kernel. Any thread; the caller holds no lock. */
#ifndef PAGES_PURGE_H
#define PAGES_PURGE_H

#include <stdbool.h>
#include <stddef.h>

struct purge_settings {
    bool enabled;         // false: keep everything (for comparison)
    size_t trim_bytes;    // free memory at the end beyond which the break is lowered; 0: default
    size_t top_pad_bytes; // kept at the end when the break is lowered
};
void purge_configure(const struct purge_settings *settings);
// True if memory is returned to the kernel.
bool purge_is_on(void);

// Called after spans of `given_bytes` or a huge block were freed: purges what exceeds the budget.
void purge_consider(size_t given_bytes);

// True if much less is in use than at the last top: nothing should be kept.
bool purge_is_low(void);
// True once each time that purge_is_low() becomes true: the caller should flush its caches.
bool purge_has_ended(void);

// Called now and then by slow paths, for programs that free little: reads the clock. True when a
// window of a second has ended.
bool purge_tick(void);

// Counts frees that reached the page heap, and huge blocks allocated and freed; wraps. For callers
// that wait until nothing changes.
size_t purge_changes(void);

// malloc_trim: purges all free memory and trims the end to `pad_bytes`; true if any was released.
bool purge_all(size_t pad_bytes);

// Bytes of dirty free memory that may stay resident now.
size_t purge_budget_bytes(void);
// Called by huge.c with the bytes of huge blocks in use and cached, and with the bytes that were
// unmapped and mapped.
void purge_follow_huge(size_t used_bytes, size_t cached_bytes);
void purge_note_unmapped(size_t bytes);
void purge_note_mapped(size_t bytes);
// How many bytes the cache of huge.c may hold.
size_t purge_room_for_huge(void);
// The top of the memory in use in its last swing, as far as frees noticed it.
size_t purge_peak_bytes(void);

// Verifies the swing and the counts; dies if they are inconsistent. No other thread may allocate or
// free meanwhile.
void purge_check(void);

#endif
