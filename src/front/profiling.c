/* profiling.c - starts, stops and writes the profile.
 *
 * Owns:       requests from outside, and the file that answers them.
 * Threads:    any; a signal handler, too.
 * Locks:      none held while it writes.
 * Invariants: PROFILING-1  each request is answered by a whole file: it is renamed when it is
 *                          complete.
 *             PROFILING-2  one thread answers at a time; a request that comes meanwhile waits for
 *                          the next slow path.
 *
 * A handler that interrupted a slow path does nothing but leave word, and lets the next request
 * for memory miss. Any other may do it all by itself: it allocates nothing, and the locks that it
 * takes are not held by this thread.
 */
#include "front/profiling.h"

#include "base/line.h"
#include "base/live.h"
#include "base/options.h"
#include "base/os.h"
#include "base/place.h"
#include "base/request.h"
#include "core/thread.h"
#include "front/start.h"
#include "inspect/census.h"
#include "pages/huge.h"
#include "profile/dump.h"
#include "profile/profile.h"
#include "profile/unwind.h"

#include <string.h>
#include <unistd.h>

#define FILE_USUAL "myalloc.%e.%p.heap"

_Atomic(bool) g_profiling_looks;

static struct {
    _Atomic(uint64_t) asked; // [atomic] by a signal: enum myalloc_live_profile_request; 0: nothing
    _Atomic(bool) is_busy;   // [atomic] PROFILING-2
    size_t before_bytes;     // [lock: is_busy] in use when it began
} g_profiler;

static size_t live_bytes(void)
{
    struct census census;
    census_take(&census);
    return census_live_bytes(&census) + huge_stats().live_bytes;
}

// ---- requests ----

static void begin(size_t before_bytes)
{
    g_profiler.before_bytes = before_bytes;
    profile_begin(g_options.profile_bytes);
    start_choose_paths();
}

// What is left of what was there at the beginning, about: all that is in use and not of samples.
static size_t left_from_before(void)
{
    size_t now = live_bytes();
    size_t seen = profile_live_bytes();
    size_t left = now > seen ? now - seen : 0;
    return left < g_profiler.before_bytes ? left : g_profiler.before_bytes;
}

static void write_profile(int fd)
{
    dump_write(fd, g_profiler.before_bytes != 0 ? left_from_before() : 0);
    os_close(fd);
}

// PROFILING-1
static void write_answer(void)
{
    struct line name;
    struct line part;
    if (!live_name(&name)) {
        return;
    }
    line_add(&name, ".heap");
    part = name;
    line_add(&part, ".part");
    name.text[name.used] = part.text[part.used] = '\0';
    int fd = os_create(part.text);
    if (fd >= 0 && os_truncate(fd, 0)) {
        write_profile(fd);
        request_answer(part.text, name.text);
    }
}

static void serve(uint64_t request)
{
    if (request == MYALLOC_LIVE_PROFILE_START && !profile_is_on()) {
        begin(live_bytes());
    } else if (request == MYALLOC_LIVE_PROFILE_STOP) {
        profile_end();
        start_choose_paths();
    }
    write_answer();
}

static void look_at_page(void)
{
    struct myalloc_live_header *header = &g_live_page->header;
    uint64_t request = live_load(&header->profile_request);
    if (request != live_load(&header->profile_answer)) {
        serve(request & 0xff);
        live_store(&header->profile_is_on, profile_is_on());
        live_store(&header->profile_answer, request);
    }
}

void profiling_tick_on(void)
{
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
        atomic_store_explicit(&g_profiling_looks, false, memory_order_relaxed);
        start_choose_paths();
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
        info->si_value.sival_int <= MYALLOC_LIVE_PROFILE_DUMP) {
        request = (uint64_t)info->si_value.sival_int;
    }
    atomic_store_explicit(&g_profiler.asked, request, memory_order_relaxed);
    atomic_store_explicit(&g_profiling_looks, true, memory_order_relaxed);
    if (start_mode() == START_SERVING && thread_enter(t_thread.caller)) {
        profiling_tick_on();
        thread_leave();
    } else {
        start_miss_once();
    }
}

// ---- start and end ----

void profiling_arm(void)
{
    unwind_arm();
    int signal = (int)g_options.profile_signal;
    if (signal != 0 && !request_listen(signal, on_signal)) {
        struct line line = {.used = 0};
        line_add(&line, "myalloc: profile_signal:");
        line_add_number(&line, g_options.profile_signal);
        line_add(&line, ": this signal cannot be taken");
        line_write(&line, STDERR_FILENO);
        signal = 0;
    }
    if (live_is_on()) {
        live_store(&g_live_page->header.profile_signal, (uint64_t)signal);
        live_store(&g_live_page->header.profile_is_on, profile_is_on());
        atomic_store_explicit(&g_profiling_looks, true, memory_order_relaxed);
    }
}

void profiling_end(int fd)
{
    profile_end();
    if (g_options.profile_leaks != 0 && fd >= 0) {
        dump_leaks(fd);
    }
    if (g_options.profile != 0) {
        bool has_name = g_options.profile_file[0] != '\0';
        int file = place_create(has_name ? g_options.profile_file : FILE_USUAL, fd);
        if (file >= 0) {
            write_profile(file);
        }
    }
}
