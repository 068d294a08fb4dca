/* view.h - the counts of blocks in the live page: a census from time to time. */
#ifndef HEAP_VIEW_H
#define HEAP_VIEW_H

#include "heap/heap_data.h"
#include "base/live.h"

// Opens the page and fills what is constant in it; in a child also what was inherited.
void view_start(void);
// Stores all counts now. `own` is the caller's heap, whose bins are then counted, or NULL.
void view_refresh(const struct heap *own);
// Forgets a refresh that another thread of the parent was about.
void view_postfork_child(void);

NOINLINE COLD void view_tick_on(struct heap *heap);
NOINLINE COLD void view_peak_on(void);

// After a refill: refreshes when the last time is long enough ago.
static inline void view_tick(struct heap *heap)
{
    if (live_is_on()) {
        view_tick_on(heap);
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
