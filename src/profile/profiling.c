/* profiling.c - starts, stops and writes the profile.
 *
 * Owns:       requests from outside, and the file that answers them.
 * Threads:    any; also a signal handler.
 * Locks:      none held while it writes.
 * Invariants: PROFILING-1  each request is answered by a complete file: it is renamed when it is
 *                          complete.
 *             PROFILING-2  one thread answers at a time; a request that comes meanwhile waits for
 *                          the next slow path.
 *
 * A handler that interrupted a slow path only records the request, and makes the next malloc miss.
 * Any other handles it itself: it allocates nothing, and this thread does not hold the locks that
 * it takes.
 */
#include "profile/profiling.h"

#include "base/check.h"
#include "base/line.h"
#include "base/live.h"
#include "base/options.h"
#include "base/os.h"
#include "base/place.h"
#include "core/thread.h"
#include "core/census.h"
#include "core/slot.h"
#include "inspect/hslabs.h"
#include "pages/huge.h"
#include "profile/dump.h"
#include "profile/profile.h"

#include <string.h>
#include <unistd.h>

#define FILE_USUAL "myalloc.%e.%p.heap"

// If samples are denser than this, a span for each would be wasteful: every free misses instead.
#define DENSE_BYTES (128UL * 1024)

static struct {
    struct profiling_host host; // [const] once armed
    _Atomic(uint64_t) asked;    // [atomic] set by a signal: enum myalloc_live_request; 0: none
    _Atomic(bool) is_busy;      // [atomic] PROFILING-2
    size_t before_bytes;        // [lock: is_busy] in use when it was started
    uint32_t signal;            // [const] once armed; 0: none
} g_profiler;

static size_t live_bytes(void)
{
    struct census census;
    census_take(&census);
    hslabs_count(&census);
    return census_live_bytes(&census) + huge_stats().live_bytes;
}

// ---- requests ----

static void begin(size_t before_bytes)
{
    ASSERT(thread_is_inside());
    ASSERT(!profile_is_on());
    g_profiler.before_bytes = before_bytes;
    profile_begin(g_options.profile_bytes);
    g_profiler.host.choose_paths();
}

// Estimates what remains of the blocks from before the start: bytes in use minus those of samples.
static size_t left_from_before(void)
{
    ASSERT(g_profiler.before_bytes != 0);
    size_t now = live_bytes();
    size_t seen = profile_live_bytes();
    size_t left = now > seen ? now - seen : 0;
    return left < g_profiler.before_bytes ? left : g_profiler.before_bytes;
}

static int write_profile(int fd)
{
    ASSERT(fd >= 0);
    int error = dump_write(fd, g_profiler.before_bytes != 0 ? left_from_before() : 0);
    os_close(fd);
    return error;
}

// PROFILING-1; next to the live page, under its name, even if there is none.
static void write_answer(const char *ending)
{
    ASSERT(thread_is_inside());
    struct line path;
    size_t name;
    int directory = live_open_place(&path, &name);
    if (directory < 0) {
        return;
    }
    line_add(&path, ending);
    struct line part = path;
    line_add(&part, ".part");
    path.text[path.used] = part.text[part.used] = '\0';
    int fd = os_report_hold(directory, part.text + name);
    if (fd >= 0 && write_profile(fd) == 0) {
        os_report_rename(directory, part.text + name, path.text + name);
    }
    os_close(directory);
}

static void serve(uint64_t request)
{
    ASSERT(thread_is_inside());
    if (request == MYALLOC_LIVE_PROFILE_START && !profile_is_on()) {
        begin(live_bytes());
    } else if (request == MYALLOC_LIVE_PROFILE_STOP) {
        profile_end();
        g_profiler.host.choose_paths();
    } else if (request == MYALLOC_LIVE_PURGE) {
        g_profiler.host.purge();
    }
    write_answer(request == MYALLOC_LIVE_PURGE ? ".purge" : ".heap");
}

static void look_at_page(void)
{
    ASSERT(live_is_on());
    ASSERT(thread_is_inside());
    struct myalloc_live_header *header = &g_live_page->header;
    uint64_t request = live_load(&header->profile_request);
    if (request != live_load(&header->profile_answer)) {
        serve(request & 0xff);
        live_store(&header->profile_is_on, profile_is_on());
        live_store(&header->profile_answer, request);
    }
}

void profiling_tick(void)
{
    ASSERT(thread_is_inside());
    if (atomic_exchange_explicit(&g_profiler.is_busy, true, memory_order_acquire)) {
        return;
    }
    uint64_t asked = atomic_exchange_explicit(&g_profiler.asked, 0, memory_order_relaxed);
    if (asked != 0) {
        serve(asked);
    }
    if (live_is_on()) {
        look_at_page();
    } else {
        atomic_store_explicit(g_profiler.host.looks, false, memory_order_relaxed);
        g_profiler.host.choose_paths();
    }
    // release: pairs with the acquire above
    atomic_store_explicit(&g_profiler.is_busy, false, memory_order_release);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    uint64_t request = profile_is_on() ? MYALLOC_LIVE_PROFILE_DUMP : MYALLOC_LIVE_PROFILE_START;
    if (info->si_code == SI_QUEUE && info->si_value.sival_int >= MYALLOC_LIVE_PROFILE_START &&
        info->si_value.sival_int <= MYALLOC_LIVE_PURGE) {
        request = (uint64_t)info->si_value.sival_int;
    }
    atomic_store_explicit(&g_profiler.asked, request, memory_order_relaxed);
    atomic_store_explicit(g_profiler.host.looks, true, memory_order_relaxed);
    if (thread_enter(t_thread.caller)) {
        profiling_tick();
        thread_leave();
    } else {
        g_profiler.host.miss_once();
    }
}

// ---- start and end ----

void profiling_start(void)
{
    ASSERT(!profile_has_begun());
    ASSERT(profiling_may_begin());
    if (g_options.profile_bytes < DENSE_BYTES) {
        g_profile.is_in_place = true;
        slot_miss_always();
    }
    if (g_options.profile != 0 || g_options.profile_leaks != 0) {
        profile_begin(g_options.profile_bytes);
    }
}

static void show_state(void)
{
    ASSERT(live_is_on());
    live_store(&g_live_page->header.profile_signal, g_profiler.signal);
    live_store(&g_live_page->header.profile_is_on, profile_is_on());
}

void profiling_arm(const struct profiling_host *host)
{
    ASSERT(host->looks != NULL);
    ASSERT(host->choose_paths != NULL);
    ASSERT(host->purge != NULL);
    int signal = (int)g_options.profile_signal;
    g_profiler.host = *host;
    if (signal != 0 && !os_signal_listen(signal, on_signal)) {
        struct line line = {.used = 0};
        line_add(&line, "myalloc: profile_signal:");
        line_add_number(&line, g_options.profile_signal);
        line_add(&line, ": this signal cannot be taken");
        line_write(&line, STDERR_FILENO);
        signal = 0;
    }
    g_profiler.signal = (uint32_t)signal;
    if (live_is_on()) {
        show_state();
        atomic_store_explicit(host->looks, true, memory_order_relaxed);
    }
}

void profiling_end(int fd)
{
    ASSERT(profiling_ends());
    profile_end();
    if (g_options.profile_leaks != 0 && fd >= 0) {
        dump_leaks(fd);
    }
    if (g_options.profile == 0) {
        return;
    }
    struct line name;
    bool has_name = g_options.profile_file[0] != '\0';
    int file = place_create(has_name ? g_options.profile_file : FILE_USUAL, &name, fd);
    int error = file >= 0 ? write_profile(file) : 0;
    if (error != 0) {
        place_complain("not all of the profile is in ", &name, error, fd);
    }
}

void profiling_postfork_child(void)
{
    atomic_store_explicit(&g_profiler.is_busy, false, memory_order_relaxed);
    if (live_is_on()) {
        show_state();
    }
}
