/* view.h - the counts of blocks in the live page: a periodic census. */
#ifndef INSPECT_VIEW_H
#define INSPECT_VIEW_H

#include "base/live.h"

// Opens the page and fills in its constants; in a fork child also the inherited values.
void view_start(void);
// Stores all counts now. Concurrent changes may be shown in part.
void view_refresh(void);
// Cancels a refresh that another thread of the parent had begun.
void view_postfork_child(void);

NOINLINE COLD void view_tick_on(void);
NOINLINE COLD void view_peak_on(void);

// After a refill: refreshes if the last refresh is old enough.
static inline void view_tick(void)
{
    if (live_is_on()) {
        view_tick_on();
    }
}

// Before memory is returned to the page heap: refreshes if the bytes in use have changed much.
static inline void view_peak(void)
{
    if (live_is_on()) {
        view_peak_on();
    }
}

#endif
