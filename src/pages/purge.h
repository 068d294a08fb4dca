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

// After spans of `given_bytes` were freed, or a huge block: purges what the rules do not let stay.
void purge_consider(size_t given_bytes);

// Much less is in use than at the last top: nothing is to be kept.
bool purge_is_low(void);
// True once for each time that it became so: what lies in caches above should go, too.
bool purge_has_ended(void);

// Now and then, from slow paths of programs that do not free much: looks at the clock. True when a
// window of a second has ended.
bool purge_tick(void);

// Frees that reached the page heap, and huge blocks made and freed; goes round. For who waits until
// nothing changes.
size_t purge_changes(void);

// malloc_trim: everything free goes back but `pad_bytes` at the end; true when something did.
bool purge_all(size_t pad_bytes);

// Bytes of dirty free memory that may stay now.
size_t purge_budget_bytes(void);
// From huge.c: bytes of huge blocks in use, and in its cache; of those that went back to the kernel
// and that were taken from it.
void purge_follow_huge(size_t used_bytes, size_t cached_bytes);
void purge_note_unmapped(size_t bytes);
void purge_note_mapped(size_t bytes);
// How many bytes its cache may be.
size_t purge_room_for_huge(void);
// The top of the memory in use, of its last swing, as far as frees noticed it.
size_t purge_peak_bytes(void);

// Verifies the swing and the counts; dies otherwise. Nobody else may work.
void purge_check(void);

#endif
