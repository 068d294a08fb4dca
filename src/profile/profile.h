/* profile.h - the heap profile: blocks sampled by bytes, with the stacks that allocated them.
 *
 * Inside a slow path unless stated otherwise; takes LOCK_PROFILE. */
#ifndef PROFILE_PROFILE_H
#define PROFILE_PROFILE_H

#include "base/compiler.h"
#include "base/lock.h"
#include "core/thread.h"
#include "profile/samples.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct profile {
    _Atomic(bool) is_on;       // [atomic] blocks are sampled
    _Atomic(bool) has_begun;   // [atomic] some may have been: frees check
    bool is_in_place;          // [const] every free misses: samples may lie in slabs
    _Atomic(uint32_t) session; // [atomic] how often it was started
    uint64_t mean_bytes;       // [lock: LOCK_PROFILE] of a session; others read it relaxed
};
extern HIDDEN struct profile g_profile;

// Starts a new session, with a sample every `mean_bytes` on average; false when out of memory.
bool profile_begin(uint64_t mean_bytes);
// Stops sampling; existing samples are tracked until they are freed.
void profile_end(void);

static inline bool profile_is_on(void)
{
    return UNLIKELY(atomic_load_explicit(&g_profile.is_on, memory_order_relaxed));
}

static inline bool profile_has_begun(void)
{
    return UNLIKELY(atomic_load_explicit(&g_profile.has_begun, memory_order_relaxed));
}

// At any time. Counts a request; true: sample it.
COLD bool profile_count(size_t bytes);
static inline bool profile_wants(size_t bytes)
{
    return profile_is_on() && profile_count(bytes);
}

// Records a sampled block, whose free will miss.
void profile_note(const void *ptr, size_t bytes, const void *caller);
// Counts a lost sample: no block whose free misses could be allocated.
void profile_lose(void);

// Before the block is freed.
COLD void profile_forget(const void *ptr);

// Around a resize that may move the block without a copy: removes its sample, and adds it again for
// the resized block. The growth of a block without a sample is counted like a request.
struct profile_hold {
    struct sample sample; // ptr NULL: none
    uint32_t session;     // of the sample
};
struct profile_sizes {
    size_t before, after;
};
void profile_hold(struct profile_hold *hold, const void *ptr);
// `resized`: where it is now; NULL: it is unchanged.
void profile_resized(const struct profile_hold *hold, const void *ptr, const void *resized,
                     const struct profile_sizes *sizes, const void *caller);

// Facts of the current session.
struct profile_facts {
    uint64_t mean_bytes;
    uint64_t began; // seconds since 1970
    uint64_t lost;  // samples that found no room
    bool is_on;
};
struct profile_facts profile_facts(void);

// At any time: estimated bytes in use, from the samples.
size_t profile_live_bytes(void);

// At any time: a consistent copy of the site with this number, and what it held at the peak; false:
// no such site.
struct site;
struct site_count;
bool profile_look(uint32_t number, struct site *site, struct site_count *peak);

void profile_each_lock(lock_visitor *visit); // for a fork

#endif
