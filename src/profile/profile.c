/* profile.c - chooses the blocks to sample, and tracks them.
 *
 * Owns:       the profile_ fields of a thread; the lock of sites, samples and stacks.
 * Threads:    any.
 * Locks:      LOCK_PROFILE.
 * Invariants: PROFILE-1  a block of n bytes is sampled with probability poisson_chance(n),
 *                        independent of the past: all requests are counted, not only refills.
 *             PROFILE-2  the free of a sampled block misses.
 *
 * While the profile is on every malloc misses (g_fast_bytes), counts its bytes down and pops its
 * block; frees take their fast path. So a sampled block must have bin 0: in a span of its own
 * (large_allocate_placed), or in a mode whose frees all miss.
 *
 * If a block grows in place, the growth is counted: its chance is then as if it had been requested
 * in full. One that shrinks keeps its chance.
 */
#include "profile/profile.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/probe.h"
#include "profile/poisson.h"
#include "profile/sites.h"
#include "profile/unwind.h"

struct profile g_profile;

static struct {
    struct lock lock;
    uint64_t began;                        // [lock: LOCK_PROFILE] seconds since 1970
    uint64_t lost;                         // [lock: LOCK_PROFILE]
    const void *frames[UNWIND_FRAMES_MAX]; // [lock: LOCK_PROFILE]
} g_profiling = {.lock = LOCK_INIT(LOCK_PROFILE)};

bool profile_begin(uint64_t mean_bytes)
{
    ASSERT(mean_bytes != 0);
    lock_acquire(&g_profiling.lock);
    bool begins = sites_start();
    if (begins) {
        samples_forget();
        RELAXED_STORE(g_profile.mean_bytes, mean_bytes);
        g_profiling.lost = 0;
        g_profiling.began = os_seconds();
        atomic_fetch_add_explicit(&g_profile.session, 1, memory_order_relaxed);
        atomic_store_explicit(&g_profile.has_begun, true, memory_order_relaxed);
        // release: orders the mean before it
        atomic_store_explicit(&g_profile.is_on, true, memory_order_release);
    }
    lock_release(&g_profiling.lock);
    return begins;
}

void profile_end(void)
{
    atomic_store_explicit(&g_profile.is_on, false, memory_order_relaxed);
}

// ---- drawing ----

static uint32_t session_now(void)
{
    return atomic_load_explicit(&g_profile.session, memory_order_relaxed);
}

static uint64_t mean_bytes_now(void)
{
    return RELAXED_LOAD(g_profile.mean_bytes);
}

static int64_t next_gap(void)
{
    ASSERT(t_thread.profile_random != 0);
    ASSERT(mean_bytes_now() != 0);
    return poisson_gap(xorshift_next(&t_thread.profile_random), mean_bytes_now());
}

bool profile_count(size_t bytes)
{
    t_thread.profile_left -= (int64_t)bytes;
    if (t_thread.profile_left >= 0) {
        return false;
    }
    uint32_t session = session_now();
    if (t_thread.profile_session != session) { // this thread begins to count
        t_thread.profile_session = session;
        t_thread.profile_random = os_random() | 1;
        t_thread.profile_left = next_gap() - (int64_t)bytes;
        if (t_thread.profile_left >= 0) {
            return false;
        }
    }
    t_thread.profile_left = next_gap();
    return true;
}

// ---- samples ----

static void note_locked(const void *ptr, size_t bytes, const void *caller)
{
    ASSERT(lock_is_mine(&g_profiling.lock));
    unsigned count = unwind_stack(caller, g_profiling.frames);
    ASSERT(count <= UNWIND_FRAMES_MAX);
    struct sample sample = {ptr, bytes, poisson_chance(bytes, g_profile.mean_bytes),
                            sites_find(g_profiling.frames, count)};
    if (samples_put(&sample)) {
        sites_add(sample.site, bytes, sample.chance, 1);
        probe_allocation(ptr, bytes, g_profile.mean_bytes);
    } else {
        g_profiling.lost++;
    }
}

void profile_note(const void *ptr, size_t bytes, const void *caller)
{
    ASSERT(thread_is_inside());
    ASSERT(profile_has_begun());
    ASSERT(ptr != NULL);
    lock_acquire(&g_profiling.lock);
    note_locked(ptr, bytes, caller);
    lock_release(&g_profiling.lock);
}

void profile_lose(void)
{
    ASSERT(thread_is_inside());
    lock_acquire(&g_profiling.lock);
    g_profiling.lost++;
    lock_release(&g_profiling.lock);
}

void profile_forget(const void *ptr)
{
    ASSERT(thread_is_inside());
    if (!samples_may_hold(ptr)) {
        return;
    }
    lock_acquire(&g_profiling.lock);
    struct sample *sample = samples_find(ptr);
    if (sample != NULL) {
        probe_free(ptr);
        sites_add(sample->site, sample->bytes, sample->chance, -1);
        samples_drop(sample);
    }
    lock_release(&g_profiling.lock);
}

void profile_hold(struct profile_hold *hold, const void *ptr)
{
    ASSERT(thread_is_inside());
    ASSERT(ptr != NULL);
    hold->sample.ptr = NULL;
    if (!samples_may_hold(ptr)) {
        return;
    }
    lock_acquire(&g_profiling.lock);
    struct sample *sample = samples_find(ptr);
    if (sample != NULL) {
        hold->sample = *sample;
        hold->session = session_now();
        samples_drop(sample);
    }
    lock_release(&g_profiling.lock);
}

// A session that began meanwhile has forgotten the sample: its site does not count it any more.
static void put_back(const struct profile_hold *hold, const void *ptr, size_t bytes)
{
    ASSERT(ptr != NULL);
    struct sample old = hold->sample;
    struct sample sample = old;
    double chance = poisson_chance(bytes, mean_bytes_now());
    probe_free(old.ptr);
    sample.ptr = ptr;
    sample.bytes = bytes;
    sample.chance = chance > old.chance ? chance : old.chance;
    lock_acquire(&g_profiling.lock);
    if (hold->session != session_now()) {
        lock_release(&g_profiling.lock);
        return;
    }
    if (samples_put(&sample)) {
        sites_resize(sample.site, old.bytes, old.chance, bytes, sample.chance);
        probe_allocation(ptr, bytes, g_profile.mean_bytes);
    } else {
        sites_add(old.site, old.bytes, old.chance, -1);
        g_profiling.lost++;
    }
    lock_release(&g_profiling.lock);
}

void profile_resized(const struct profile_hold *hold, const void *ptr, const void *resized,
                     const struct profile_sizes *sizes, const void *caller)
{
    ASSERT(thread_is_inside());
    ASSERT(hold->sample.ptr == NULL || hold->sample.ptr == ptr);
    if (hold->sample.ptr != NULL) {
        put_back(hold, resized != NULL ? resized : ptr,
                 resized != NULL ? sizes->after : hold->sample.bytes);
    } else if (resized != NULL && sizes->after > sizes->before &&
               profile_wants(sizes->after - sizes->before)) {
        profile_note(resized, sizes->after, caller);
    }
}

// ---- inspection ----

struct profile_facts profile_facts(void)
{
    bool was_taken = lock_acquire_to_look(&g_profiling.lock);
    struct profile_facts facts = {g_profile.mean_bytes, g_profiling.began, g_profiling.lost,
                                  profile_is_on()};
    lock_release_after_look(&g_profiling.lock, was_taken);
    return facts;
}

size_t profile_live_bytes(void)
{
    bool was_taken = lock_acquire_to_look(&g_profiling.lock);
    double bytes = sites_live().bytes;
    lock_release_after_look(&g_profiling.lock, was_taken);
    return bytes > 0 ? (size_t)bytes : 0;
}

bool profile_look(uint32_t number, struct site *site, struct site_count *peak)
{
    if (!profile_has_begun() || number >= sites_count()) {
        return false;
    }
    bool was_taken = lock_acquire_to_look(&g_profiling.lock);
    ASSERT(sites_at(number)->frame_count <= UNWIND_FRAMES_MAX);
    *site = *sites_at(number);
    *peak = sites_peak(sites_at(number));
    lock_release_after_look(&g_profiling.lock, was_taken);
    return true;
}

// ---- fork ----

void profile_each_lock(lock_visitor *visit)
{
    visit(&g_profiling.lock);
}
