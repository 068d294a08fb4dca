/* background.c - the thread of background:1.
 *
 * Owns:       the thread.
 * Threads:    one, which blocks all signals and never exits.
 * Locks:      takes none itself; what it calls takes those of a slow path.
 * Invariants: BACKGROUND-1  it trims at most once after each change of the page heap, and only when
 *                           idle_ms passed without another.
 *
 * It reads one counter every idle_ms: while the program is busy it costs nothing else. Mallocs and
 * frees served by the caches alone are no change, and are not disturbed.
 */
#include "background/background.h"

#include "base/check.h"
#include "base/options.h"
#include "base/os.h"
#include "base/symbol.h"
#include "pages/budget.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>

#define STACK_BYTES (128UL * 1024)

// Looked up on request: the loader would look up each name in every process.
#define FOUND(name)                                                                                \
    (CONFIG_STATIC ? &(name) : (__typeof__(&(name)))symbol_behind(RTLD_DEFAULT, #name))

static struct {
    bool (*trim)(size_t pad_bytes, const void *caller); // [const] once started
} g_background;

static void *work(void *unused)
{
    size_t seen = budget_changes();
    bool has_changed = false; // since the last trim
    ASSERT(g_background.trim != NULL);
    for (;;) {
        os_sleep_ms((unsigned)g_options.idle_ms);
        size_t now = budget_changes();
        bool is_quiet = now == seen;
        if (is_quiet && has_changed) { // BACKGROUND-1
            g_background.trim(0, NULL);
            now = budget_changes(); // with its own
        }
        has_changed = !is_quiet;
        seen = now;
    }
    return unused;
}

void background_start(bool (*trim)(size_t pad_bytes, const void *caller))
{
    ASSERT(g_background.trim == NULL);
    pthread_attr_t attributes;
    pthread_t thread;
    uint64_t signals;
    g_background.trim = trim;
    __typeof__(&pthread_create) create = FOUND(pthread_create);
    __typeof__(&pthread_attr_setstacksize) set_stack = FOUND(pthread_attr_setstacksize);
    if (create == NULL || set_stack == NULL || FOUND(pthread_attr_init)(&attributes) != 0) {
        return; // before glibc 2.34 they are in a library that may be absent
    }
    FOUND(pthread_attr_setdetachstate)(&attributes, PTHREAD_CREATE_DETACHED);
    set_stack(&attributes, STACK_BYTES); // else the default: 8 MiB
    os_signals_block(&signals);          // they are for the program's threads
    create(&thread, &attributes, work, NULL);
    os_signals_restore(&signals);
    FOUND(pthread_attr_destroy)(&attributes);
}
