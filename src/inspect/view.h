/* view.h - the counts of blocks in the live page: a census from time to time. */
#ifndef INSPECT_VIEW_H
#define INSPECT_VIEW_H

#include "base/live.h"

// Opens the page and fills what is constant in it; in a child also what was inherited.
void view_start(void);
// Stores all counts now. What changes meanwhile may be shown as half of it was before.
void view_refresh(void);
// Forgets a refresh that another thread of the parent was about.
void view_postfork_child(void);

NOINLINE COLD void view_tick_on(void);
NOINLINE COLD void view_peak_on(void);

// After a refill: refreshes when the last time is long enough ago.
static inline void view_tick(void)
{
    if (live_is_on()) {
        view_tick_on();
    }
}

// Before memory goes back to the page heap: refreshes when much more or less is in use than was
// seen.
static inline void view_peak(void)
{
    if (live_is_on()) {
        view_peak_on();
    }
}

#endif
