/* profile.h - the heap profile: blocks sampled by their bytes, with the stack that asked for them.
 *
 * Inside of a slow path, unless said otherwise; takes LOCK_PROFILE. */
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
    _Atomic(bool) has_begun;   // [atomic] some may have been: frees look
    bool is_in_place;          // [const] every free misses: samples may lie in slabs
    _Atomic(uint32_t) session; // [atomic] how often it was begun
    uint64_t mean_bytes;       // [const] of a session
};
extern HIDDEN struct profile g_profile;

// Begins anew, with a sample every `mean_bytes` on average; false without memory.
bool profile_begin(uint64_t mean_bytes);
// No further samples; those that are there are followed until they are freed.
void profile_end(void);

static inline bool profile_is_on(void)
{
    return UNLIKELY(atomic_load_explicit(&g_profile.is_on, memory_order_relaxed));
}

static inline bool profile_has_begun(void)
{
    return UNLIKELY(atomic_load_explicit(&g_profile.has_begun, memory_order_relaxed));
}

// Any time. Counts a request; true: it is to be sampled.
COLD bool profile_count(size_t bytes);
static inline bool profile_wants(size_t bytes)
{
    return profile_is_on() && profile_count(bytes);
}

// Notes a sampled block, whose free will miss.
void profile_note(const void *ptr, size_t bytes, const void *caller);
// A sample had to go without: there was no block whose free misses.
void profile_lose(void);

// Before the block is freed.
COLD void profile_forget(const void *ptr);

// Around a resize that may move the block without a copy: takes its sample out, and puts it back
// for the block as it is then. What a block without a sample gained is counted like a request.
struct profile_hold {
    struct sample sample; // ptr NULL: none
};
struct profile_sizes {
    size_t before, after;
};
void profile_hold(struct profile_hold *hold, const void *ptr);
// `resized`: where it is now; NULL: it stayed as it was.
void profile_resized(const struct profile_hold *hold, const void *ptr, const void *resized,
                     const struct profile_sizes *sizes, const void *caller);

// Of this session.
struct profile_facts {
    uint64_t mean_bytes;
    uint64_t began; // seconds since 1970
    uint64_t lost;  // samples without room
    bool is_on;
};
struct profile_facts profile_facts(void);

// Any time: what the samples in use stand for.
size_t profile_live_bytes(void);

// Any time: a consistent copy of the site with this number, and what it held at the peak; false:
// there is none.
struct site;
struct site_count;
bool profile_look(uint32_t number, struct site *site, struct site_count *peak);

void profile_each_lock(lock_visitor *visit); // for a fork

#endif
