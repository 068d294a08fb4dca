/* live.h - the live page (include/myalloc_live.h): what other processes may read about our heap.
 *
 * All layers call these, in slow paths only. While the page is off, each call is one test of a NULL
 * pointer.
 */
#ifndef BASE_LIVE_H
#define BASE_LIVE_H

#include "base/compiler.h"

#include "myalloc_live.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern HIDDEN struct myalloc_live *g_live_page; // [const] after the start of the process; NULL: off

// Opens the directory for the page of this process, creating it if necessary. *path: the page, or
// where it would be; its file name begins at *name. Negative: the errno.
struct line;
int live_open_place(struct line *path, size_t *name);

// Creates the file and fills in the header except the magic; false: it cannot be created.
bool live_open(void);
// Stores the magic: from now on readers accept the page.
void live_publish(void);
// At exit(): stores the final state and removes the file.
void live_close(void);
// In the child of a fork: unmaps the parent's page; live_open may create a new one.
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

// Records one system call: the event, its counters, and the change of the footprint.
static inline void live_event(enum myalloc_live_event_kind kind, const void *start, size_t bytes)
{
    if (live_is_on()) {
        live_event_on(kind, start, bytes);
    }
}

// Adds an address range; one of the break, a mapped region or a table is merged with the one below.
static inline void live_add(enum myalloc_live_region_kind kind, const void *start, size_t bytes)
{
    if (live_is_on()) {
        live_add_on(kind, start, bytes);
    }
}

// Removes the last `bytes`, at `start`, of a range of this kind.
static inline void live_cut(enum myalloc_live_region_kind kind, const void *start, size_t bytes)
{
    if (live_is_on()) {
        live_cut_on(kind, start, bytes);
    }
}

// Records that mremap made a mapping longer or shorter.
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

// Raises a peak to `value`.
static inline void live_raise(_Atomic uint64_t *peak, uint64_t value)
{
    uint64_t old = live_load(peak);
    while (value > old && !atomic_compare_exchange_weak_explicit(
                              peak, &old, value, memory_order_relaxed, memory_order_relaxed)) {
    }
}

// Counts an allocation that no slot counts: a large or huge block. live_others() returns the count.
NOINLINE COLD void live_count_on(void);
uint64_t live_others(void);
static inline void live_count(void)
{
    if (live_is_on()) {
        live_count_on();
    }
}

// True if there was an event since the last call, so that the heap should be counted again.
bool live_is_news(void);

#endif
