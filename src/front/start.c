/* start.c - the first request: options, policies, the region.
 *
 * Owns:       the mode of the process.
 * Threads:    any.
 * Locks:      LOCK_START; span_start() below takes none.
 * Invariants: START-1  the mode leaves START_NOT_YET once and never changes again.
 */
#include "front/start.h"

#include "pages/page_fit.h"
#include "pages/limit.h"
#include "pages/purge.h"
#include "pages/span.h"
#include "base/lock.h"
#include "base/os.h"
#include "sampling/guard.h"
#include "profile/profile.h"
#include "core/slot.h"
#include "core/cpu_cache.h"
#include "hardened/harden.h"
#include "inspect/view.h"
#include "base/options.h"
#include "trace/record.h"

#include <string.h>

// With samples closer than this, a span for each would be waste: every free misses instead.
#define DENSE_BYTES (128UL * 1024)

_Atomic(bool) g_is_plain;
_Atomic(bool) g_frees_plainly;

static struct {
    struct lock lock;
    _Atomic(uint32_t) mode; // [atomic] enum start_mode; written under LOCK_START
    _Atomic(bool) counts;   // [atomic] blocks of size classes, as they are given out
} g_start = {.lock = LOCK_INIT(LOCK_START)};

// MYALLOC_EXCLUDE: names of programs that keep libc's malloc, with colons or commas between.
static bool is_excluded(void)
{
    const char *list = os_env("MYALLOC_EXCLUDE");
    const char *name = os_program_name();
    size_t bytes = strlen(name);
    while (list != NULL && *list != '\0') {
        size_t length = strcspn(list, ":,");
        if (length == bytes && memcmp(list, name, bytes) == 0) {
            return true;
        }
        list += length + (list[length] != '\0');
    }
    return false;
}

void start_configure_purge(void)
{
    purge_configure(&(struct purge_settings){
        .enabled = g_options.purge != 0 && g_options.trim_bytes != SIZE_MAX,
        .trim_bytes = g_options.trim_bytes,
        .top_pad_bytes = g_options.top_pad_bytes,
    });
}

bool start_may_profile(void)
{
    return g_options.profile != 0 || g_options.profile_leaks != 0 ||
           g_options.profile_signal != 0 || g_options.live != 0;
}

static COLD void start_profile(void)
{
    if (g_options.profile_bytes < DENSE_BYTES) {
        g_profile.is_in_place = true;
        slot_miss_always();
    }
    if (g_options.profile != 0 || g_options.profile_leaks != 0) {
        profile_begin(g_options.profile_bytes);
    }
}

static enum start_mode start(void)
{
    if (is_excluded()) {
        return START_FORWARDING;
    }
    options_read();
    page_fit_set_policy((enum page_fit_policy)g_options.fit);
    limit_set(g_options.huge_bytes);
    start_configure_purge();
    if (!span_start(g_options.brk != 0) || !slot_start((enum slot_kind)g_options.cpu_cache)) {
        return START_NOT_YET;
    }
    if (g_options.record[0] != '\0') {
        record_start(g_options.record);
    }
    if (g_options.guard != 0 && g_options.harden == 0) { // hardened blocks need no samples
        guard_start(g_options.guard);
    }
    if (g_options.harden != 0) {
        harden_start((unsigned)g_options.harden, g_options.perturb == 0 && !record_is_on());
    }
    if (g_options.live != 0) {
        view_start();
    }
    if (UNLIKELY(start_may_profile())) {
        start_profile();
    }
    start_choose_paths();
    return START_SERVING;
}

static COLD void choose_long_paths(void)
{
    bool is_profiled = profile_is_on();
    bool sees_frees = g_options.perturb != 0 || record_is_on();
    bool sees_all = sees_frees || g_guard.every != 0 || g_harden.is_on;
    bool counts = g_options.live != 0 || g_options.stats[0] != '\0';
    bool is_plain = !sees_all && !counts && !is_profiled;
    if (sees_frees) {
        slot_miss_always();
    }
    if (is_profiled) {
        g_harden.is_quick = false;
    }
    cpu_cache_set_fast(is_plain ? SMALL_BYTES_MAX + 1 : 0);
    atomic_store_explicit(&g_is_plain, is_plain, memory_order_release);
    atomic_store_explicit(&g_profile.is_quick, is_profiled && !sees_all && !counts,
                          memory_order_relaxed);
    atomic_store_explicit(&g_frees_plainly,
                          !sees_frees && !g_harden.is_on && !g_profile.is_in_place,
                          memory_order_release);
    atomic_store_explicit(&g_start.counts, counts, memory_order_relaxed);
}

void start_choose_paths(void)
{
    if (UNLIKELY(os_env("MYALLOC_CONF") != NULL) || UNLIKELY(g_options.perturb != 0)) {
        choose_long_paths();
        return;
    }
    cpu_cache_set_fast(SMALL_BYTES_MAX + 1);
    atomic_store_explicit(&g_is_plain, true, memory_order_release);
    atomic_store_explicit(&g_frees_plainly, true, memory_order_release);
}

COLD void start_miss_once(void)
{
    atomic_store_explicit(&g_profile.is_quick, false, memory_order_relaxed);
    atomic_store_explicit(&g_is_plain, false, memory_order_relaxed);
    cpu_cache_set_fast(0);
}

bool start_counts_blocks(void)
{
    return atomic_load_explicit(&g_start.counts, memory_order_relaxed);
}

enum start_mode start_mode(void)
{
    // acquire: pairs with the release in start_once
    return (enum start_mode)atomic_load_explicit(&g_start.mode, memory_order_acquire);
}

enum start_mode start_once(void)
{
    if (LIKELY(start_mode() != START_NOT_YET)) {
        return start_mode();
    }
    if (!lock_acquire_to_look(&g_start.lock)) { // a signal handler, in the middle of this
        return START_NOT_YET;
    }
    if (start_mode() == START_NOT_YET) { // START-1
        // release: pairs with the acquire in start_mode
        atomic_store_explicit(&g_start.mode, start(), memory_order_release);
    }
    lock_release_after_look(&g_start.lock, true);
    return start_mode();
}

void start_prefork(void)
{
    lock_acquire_for_fork(&g_start.lock);
}

void start_postfork_parent(void)
{
    lock_release_after_fork(&g_start.lock);
}

void start_postfork_child(void)
{
    lock_init(&g_start.lock, LOCK_START);
}
