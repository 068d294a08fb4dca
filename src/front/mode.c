/* mode.c - the features: the only file of front that names them.
 *
 * Owns:       g_mode: which paths malloc and free take.
 * Threads:    any.
 * Locks:      takes none itself; its table lists those of all features.
 * Invariants: MODE-1  is_plain only while no feature is on that must see a malloc; frees_plainly
 *                     likewise.
 *             MODE-2  is_quick only while is_hardened.
 *
 * With CONFIG_FEATURES 0 it refers to none of them, so that base, pages, core and this folder link
 * as a library of their own.
 */
#include "front/mode.h"

#include "core/thread.h"
#include "base/check.h"
#include "base/options.h"
#include "base/os.h"
#include "core/cpu_cache.h"
#include "core/size_class.h"
#include "core/slot.h"
#include "background/background.h"
#include "hardened/guarded.h"
#include "hardened/harden.h"
#include "hardened/hardened.h"
#include "hardened/hslab.h"
#include "hardened/quarantine.h"
#include "inspect/hslabs.h"
#include "inspect/view.h"
#include "pool/pool.h"
#include "profile/profile.h"
#include "profile/profiling.h"
#include "sampling/guard.h"
#include "sampling/sampled.h"
#include "trace/record.h"
#include "trace/recorder.h"

struct mode g_mode;

// ---- start ----

static bool is_hardened(void)
{
    return CONFIG_FEATURES && g_harden.is_on;
}

static bool samples(void)
{
    return CONFIG_FEATURES && g_guard.every != 0;
}

static bool is_recorded(void)
{
    return CONFIG_FEATURES && record_is_on();
}

static bool may_profile(void)
{
    return CONFIG_FEATURES && profiling_may_begin();
}

static bool is_profiled(void)
{
    return CONFIG_FEATURES && profile_is_on();
}

// No feature is on otherwise: perturb is the only option that mallopt and libc's variables can set
// and that must see each request.
static bool is_asked(void)
{
    return UNLIKELY(os_env("MYALLOC_CONF") != NULL) || UNLIKELY(g_options.perturb != 0);
}

static NOINLINE COLD void start_features(void)
{
    ASSERT(is_asked());
    if (CONFIG_FEATURES && g_options.record[0] != '\0') {
        record_start(g_options.record);
    }
    if (CONFIG_FEATURES && g_options.guard != 0 && g_options.harden == 0) {
        guard_start(g_options.guard); // hardened blocks need no samples
    }
    if (CONFIG_FEATURES && g_options.harden != 0) {
        harden_start((unsigned)g_options.harden, g_options.perturb == 0 && !is_recorded());
    }
    if (CONFIG_FEATURES && g_options.live != 0) {
        view_start();
    }
    if (may_profile()) {
        profiling_start();
    }
}

void mode_start(void)
{
    ASSERT(!mode_is_plain());
    ASSERT(!mode_frees_plainly());
    if (is_asked()) {
        start_features();
    }
    mode_choose_paths();
}

static void set(_Atomic(bool) *what, bool value)
{
    // release: pairs with the acquire in mode_is_plain and mode_frees_plainly
    atomic_store_explicit(what, value, memory_order_release);
}

// The profile may start and stop at any time: frees look for samples before mallocs make any.
static void choose_for_profile(bool sees_more)
{
    ASSERT(!is_profiled() || profile_has_begun());
    set(&g_mode.follows, CONFIG_FEATURES && profile_has_begun());
    set(&g_mode.profiles, is_profiled());
    set(&g_mode.profiles_alone, is_profiled() && !sees_more);
}

static NOINLINE COLD void choose_long_paths(void)
{
    bool sees_frees = g_options.perturb != 0 || is_recorded();
    bool sees_all = sees_frees || samples() || is_hardened();
    bool counts = g_options.live != 0 || g_options.stats[0] != '\0';
    bool is_plain = !sees_all && !counts && !is_profiled();
    bool in_place = CONFIG_FEATURES && g_profile.is_in_place;
    if (sees_frees) {
        slot_miss_always();
    }
    if (is_hardened() && (sees_frees || is_profiled())) {
        g_harden.is_quick = false;
    }
    cpu_cache_set_fast(is_plain ? SMALL_BYTES_MAX + 1 : 0);
    set(&g_mode.is_hardened, is_hardened());
    set(&g_mode.is_quick, is_hardened() && g_harden.is_quick); // MODE-2
    set(&g_mode.samples, samples());
    set(&g_mode.is_recorded, is_recorded());
    set(&g_mode.counts, counts);
    choose_for_profile(sees_all || counts);
    set(&g_mode.is_plain, is_plain);
    set(&g_mode.frees_plainly, !sees_frees && !is_hardened() && !in_place); // MODE-1
    ASSERT(!mode_is_plain() || mode_frees_plainly() || in_place);           // MODE-1
    ASSERT(!mode_is(&g_mode.is_quick) || is_hardened());                    // MODE-2
}

void mode_choose_paths(void)
{
    if (is_asked()) {
        choose_long_paths();
        return;
    }
    cpu_cache_set_fast(SMALL_BYTES_MAX + 1);
    set(&g_mode.is_plain, true);
    set(&g_mode.frees_plainly, true);
}

// Async-signal-safe.
static COLD void miss_once(void)
{
    ASSERT(may_profile());
    set(&g_mode.profiles_alone, false);
    set(&g_mode.is_plain, false);
    cpu_cache_set_fast(0);
}

void mode_arm(bool (*purge)(void), bool (*trim)(size_t pad_bytes, const void *caller))
{
    if (CONFIG_FEATURES && g_options.background != 0) {
        background_start(trim);
    }
    if (samples()) {
        guard_arm();
    }
    if (may_profile()) {
        profiling_arm(&(struct profiling_host){&g_mode.looks, mode_choose_paths, miss_once, purge});
    }
}

// ---- malloc ----

void *mode_allocate_quick(size_t bytes, const void *caller)
{
    ASSERT(mode_is(&g_mode.is_hardened)); // MODE-2
    return CONFIG_FEATURES ? hardened_allocate_usual(bytes, caller) : NULL;
}

void *mode_allocate_quick_aligned(size_t bytes, size_t alignment, const void *caller)
{
    ASSERT(is_pow2(alignment));
    ASSERT(mode_is(&g_mode.is_hardened)); // MODE-2
    return CONFIG_FEATURES ? hardened_allocate_aligned(bytes, alignment, caller) : NULL;
}

void *mode_allocate_sampled(size_t bytes, const void *caller)
{
    ASSERT(mode_is(&g_mode.samples));
    ASSERT(!mode_is_plain()); // MODE-1
    return CONFIG_FEATURES ? sampled_allocate_usual(bytes, caller) : NULL;
}

void *mode_allocate(size_t bytes, size_t room, size_t alignment)
{
    ASSERT(mode_is(&g_mode.is_hardened));
    ASSERT(bytes <= room);
    ASSERT(is_pow2(alignment));
    ASSERT(thread_is_inside());
    return CONFIG_FEATURES ? hardened_allocate(bytes, room, alignment) : NULL;
}

bool mode_wants_on(size_t bytes)
{
    ASSERT(may_profile());
    return CONFIG_FEATURES && profile_wants(bytes);
}

bool mode_samples_in_place(void)
{
    ASSERT(thread_is_inside());
    return CONFIG_FEATURES && (g_profile.is_in_place || g_harden.is_on);
}

void mode_note(const void *ptr, size_t bytes, const void *caller)
{
    ASSERT(may_profile());
    ASSERT(thread_is_inside());
    if (CONFIG_FEATURES && ptr != NULL) {
        profile_note(ptr, bytes, caller);
    } else if (CONFIG_FEATURES) {
        profile_lose();
    }
}

// ---- free ----

void mode_forget(const void *ptr)
{
    ASSERT(ptr != NULL);
    ASSERT(thread_is_inside());
    if (CONFIG_FEATURES) {
        profile_forget(ptr);
    }
}

bool mode_free_quick(void *ptr, const void *caller)
{
    ASSERT(ptr != NULL);
    ASSERT(!mode_frees_plainly()); // MODE-1
    return CONFIG_FEATURES && hardened_free_usual(ptr, caller);
}

bool mode_free_sampled(void *ptr, const void *caller)
{
    ASSERT(ptr != NULL);
    ASSERT(mode_is(&g_mode.samples));
    // A block that may also be a sample of the profile takes the long path.
    return CONFIG_FEATURES && !g_profile.is_in_place && sampled_free_usual(ptr, caller);
}

struct block mode_find_in_chunk(struct chunk *head, const void *ptr)
{
    enum chunk_state state = chunk_state(head);
    if (CONFIG_FEATURES && (state == CHUNK_HSLAB || state == CHUNK_GUARDED)) {
        return hardened_find(head, ptr);
    }
    if (CONFIG_FEATURES && state == CHUNK_POOL && pool_chunk_of(ptr) != NULL) {
        return (struct block){BLOCK_NONE, BLOCK_OF_POOL, NULL, 0};
    }
    return (struct block){BLOCK_LARGE, BLOCK_FREED, head, 0}; // inside a block that was freed
}

bool mode_find(const void *ptr, struct block *block)
{
    ASSERT(ptr != NULL);
    if (!CONFIG_FEATURES || !guard_is_inside(ptr)) {
        return false;
    }
    *block = (struct block){BLOCK_GUARD, BLOCK_OK, NULL, 0};
    bool is_block = guard_find(ptr, &block->bytes) != GUARD_INTERIOR;
    block->fault = is_block ? BLOCK_OK : BLOCK_INTERIOR; // a freed one: see guard_free
    return true;
}

struct block mode_find_huge(const void *ptr)
{
    ASSERT(mode_is(&g_mode.is_hardened));
    return CONFIG_FEATURES ? hardened_find_huge(ptr)
                           : (struct block){BLOCK_NONE, BLOCK_UNKNOWN, NULL, 0};
}

size_t mode_huge_bytes(size_t mapped_bytes)
{
    ASSERT(mapped_bytes != 0);
    return is_hardened() ? guarded_huge_bytes_of(mapped_bytes) : mapped_bytes;
}

bool mode_is_like(const struct block *block, const void *ptr, size_t bytes, size_t alignment)
{
    ASSERT(mode_is(&g_mode.is_hardened));
    ASSERT(block->fault == BLOCK_OK);
    return !CONFIG_FEATURES || hardened_is_like(block, ptr, bytes, alignment);
}

void mode_free(const struct block *block, void *ptr, const void *caller)
{
    ASSERT(thread_is_inside());
    ASSERT(block->fault == BLOCK_OK);
    if (CONFIG_FEATURES && block->kind == BLOCK_GUARD) {
        guard_free(ptr, caller);
    } else if (CONFIG_FEATURES) {
        hardened_free(block, ptr, caller);
    }
}

void *mode_resize(const struct block *block, void *ptr, size_t bytes, const void *caller)
{
    ASSERT(thread_is_inside());
    ASSERT(block->kind == BLOCK_SLOT || block->kind == BLOCK_GUARDED);
    return CONFIG_FEATURES ? hardened_resize(block, ptr, bytes, caller) : NULL;
}

void *mode_resize_followed(mode_resizer *resize, void *ptr, const struct block *block, size_t bytes,
                           const void *caller)
{
    ASSERT(thread_is_inside());
    ASSERT(mode_is(&g_mode.follows));
    struct profile_hold hold;
    struct profile_sizes sizes = {block->bytes, bytes};
    if (!CONFIG_FEATURES) {
        return NULL;
    }
    profile_hold(&hold, ptr);
    void *resized = resize(ptr, block, bytes, caller);
    profile_resized(&hold, ptr, resized, &sizes, caller);
    return resized;
}

size_t mode_trim(const void *caller)
{
    ASSERT(thread_is_inside());
    return is_hardened() ? hardened_trim(caller) : 0;
}

// ---- observers ----

void mode_record_allocation(enum mode_call call, size_t bytes, size_t alignment, const void *ptr)
{
    ASSERT(call <= MODE_ALIGNED);
    static const uint8_t ops[] = {
        [MODE_MALLOC] = TRACE_MALLOC, [MODE_CALLOC] = TRACE_CALLOC, [MODE_ALIGNED] = TRACE_ALIGNED};
    ASSERT(!mode_is_plain()); // MODE-1
    if (is_recorded()) {      // recording stops when the disk is full
        recorder_allocate((enum trace_op)ops[call], bytes, alignment, ptr);
    }
}

void mode_record_free(const void *ptr)
{
    ASSERT(!mode_frees_plainly()); // MODE-1
    if (is_recorded()) {
        recorder_free(ptr);
    }
}

void mode_record_realloc(uint64_t time, size_t bytes, const void *old, const void *ptr)
{
    ASSERT(old != NULL);
    ASSERT(!mode_frees_plainly()); // MODE-1
    if (is_recorded()) {
        recorder_move(time, bytes, old, ptr);
    }
}

void mode_count(struct census *census)
{
    ASSERT(thread_is_inside());
    if (CONFIG_FEATURES) {
        hslabs_count(census);
    }
}

void mode_count_quarantined(size_t *blocks, size_t *bytes)
{
    *blocks = 0;
    *bytes = 0;
    if (is_hardened()) {
        quarantine_count_huge(blocks, bytes);
    }
}

void mode_tick_on(void)
{
    ASSERT(thread_is_inside());
    if (CONFIG_FEATURES && live_is_on()) {
        view_tick_on();
    }
    if (CONFIG_FEATURES && mode_is(&g_mode.looks)) {
        profiling_tick();
    }
}

void mode_peak_on(void)
{
    ASSERT(live_is_on());
    if (CONFIG_FEATURES) {
        view_peak_on();
    }
}

void mode_show(void)
{
    ASSERT(live_is_on());
    if (CONFIG_FEATURES) {
        view_refresh();
    }
}

bool mode_has_report_on(void)
{
    ASSERT(mode_is(&g_mode.follows));
    return CONFIG_FEATURES && profiling_ends();
}

void mode_report(int fd)
{
    ASSERT(mode_has_report());
    ASSERT(thread_is_inside());
    if (CONFIG_FEATURES) {
        profiling_end(fd);
    }
}

// ---- fork ----

// A feature that is off has no locks yet, or they lie in memory that was never touched.

static void hcaches_each_lock(lock_visitor *visit)
{
    if (is_hardened()) {
        harden_each_lock(visit);
    }
}

static void hslabs_each_lock(lock_visitor *visit)
{
    if (is_hardened()) {
        hslab_each_lock(visit);
    }
}

static void quarantines_each_lock(lock_visitor *visit)
{
    if (is_hardened()) {
        quarantine_each_lock(visit);
    }
}

static void samples_each_lock(lock_visitor *visit)
{
    if (samples()) {
        guard_each_lock(visit);
    }
}

static void profiled_each_lock(lock_visitor *visit)
{
    if (may_profile()) {
        profile_each_lock(visit);
    }
}

#define FEATURE(walker) (CONFIG_FEATURES ? (walker) : NULL)

lock_walker *const g_mode_locks[LOCK_RANKS] = {
    [LOCK_WRITER] = FEATURE(record_each_lock),
    [LOCK_HCACHE] = FEATURE(hcaches_each_lock),
    [LOCK_GUARD] = FEATURE(samples_each_lock),
    [LOCK_HSLAB] = FEATURE(hslabs_each_lock),
    [LOCK_POOLS] = FEATURE(pool_each_lock),
    [LOCK_QUARANTINE] = FEATURE(quarantines_each_lock),
    [LOCK_PROFILE] = FEATURE(profiled_each_lock),
};

void mode_postfork_child(void)
{
    if (CONFIG_FEATURES) {
        view_postfork_child();
        record_postfork_child();
        profiling_postfork_child();
    }
}
