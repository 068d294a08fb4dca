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
// ... and much less is in use than at the last top: nothing that is cheap to map again should stay.
bool purge_is_low(void);

// Called after spans of `given_bytes` or a huge block were freed: purges what exceeds the budget.
void purge_consider(size_t given_bytes);

// Called for each malloc while budget_is_waiting(): purges once it is over. False: no more.
bool purge_watch(void);

// Called now and then by slow paths, for programs that free little: reads the clock. True if a
// window of a second has ended since it was last true.
bool purge_tick(void);

// malloc_trim: purges all free memory and trims the end to `pad_bytes`; true if any was released.
bool purge_all(size_t pad_bytes);

// Verifies the counts; dies if they are inconsistent. No other thread may allocate or free
// meanwhile.
void purge_check(void);

#endif
