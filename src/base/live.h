/* live.h - the live page (include/myalloc_live.h): what other processes may read about our heap.
 *
 * Every floor calls these where slow things happen anyway. Off, each is one test of a pointer that
 * is NULL.
 */
#ifndef BASE_LIVE_H
#define BASE_LIVE_H

#include "base/compiler.h"

#include "myalloc_live.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern HIDDEN struct myalloc_live *g_live_page; // [const] after the start of the process; NULL: off

// The directory of the page of this process, open: made, if need be. *path: the page there, or
// where it would be; its name begins at *name. Negative: the errno.
struct line;
int live_open_place(struct line *path, size_t *name);

// Makes the file and fills the header but for its magic; false: off, or it cannot be made.
bool live_open(void);
// Stores the magic: readers may look.
void live_publish(void);
// exit(): stores the state and removes the file.
void live_close(void);
// In the child of a fork: leaves the parent's page alone; live_open may make a new one.
void live_leave(void);

NOINLINE COLD void live_event_on(enum myalloc_live_event_kind kind, const void *start,
                                 size_t bytes);
NOINLINE COLD void live_add_on(enum myalloc_live_region_kind kind, const void *start, size_t bytes);
NOINLINE COLD void live_cut_on(enum myalloc_live_region_kind kind, const void *start, size_t bytes);
NOINLINE COLD void live_resize_on(int64_t bytes);
NOINLINE COLD void live_realloc_on(bool in_place);

static inline bool live_is_on(void)
{
    return UNLIKELY(g_live_page != NULL);
}

// One call of the system: the event, its counters, and what it does to the footprint.
static inline void live_event(enum myalloc_live_event_kind kind, const void *start, size_t bytes)
{
    if (live_is_on()) {
        live_event_on(kind, start, bytes);
    }
}

// An address range is ours from now on; one of the break, a mapped region or a table joins the one
// below.
static inline void live_add(enum myalloc_live_region_kind kind, const void *start, size_t bytes)
{
    if (live_is_on()) {
        live_add_on(kind, start, bytes);
    }
}

// The last `bytes` of a range of this kind, at `start`, are ours no more.
static inline void live_cut(enum myalloc_live_region_kind kind, const void *start, size_t bytes)
{
    if (live_is_on()) {
        live_cut_on(kind, start, bytes);
    }
}

// mremap made a mapping longer, or shorter.
static inline void live_resize(size_t old_bytes, size_t new_bytes)
{
    if (live_is_on()) {
        live_resize_on((int64_t)(new_bytes - old_bytes));
    }
}

static inline void live_realloc(bool in_place)
{
    if (live_is_on()) {
        live_realloc_on(in_place);
    }
}

static inline void live_store(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

static inline uint64_t live_load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

// Stores the highest value so far.
static inline void live_raise(_Atomic uint64_t *peak, uint64_t value)
{
    uint64_t old = live_load(peak);
    while (value > old && !atomic_compare_exchange_weak_explicit(
                              peak, &old, value, memory_order_relaxed, memory_order_relaxed)) {
    }
}

// An allocation that no heap counts: a large or a huge block. How many there were: live_others.
NOINLINE COLD void live_count_on(void);
uint64_t live_others(void);
static inline void live_count(void)
{
    if (live_is_on()) {
        live_count_on();
    }
}

// Something worth a new look at the heap happened since the last live_is_news(); it forgets.
bool live_is_news(void);

#endif
