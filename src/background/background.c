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
#include "pages/purge.h"

#include <pthread.h>
#include <stdint.h>

#define STACK_BYTES (128UL * 1024)

static struct {
    bool (*trim)(size_t pad_bytes, const void *caller); // [const] once started
} g_background;

static void *work(void *unused)
{
    size_t seen = purge_changes();
    bool has_changed = false; // since the last trim
    ASSERT(g_background.trim != NULL);
    for (;;) {
        os_sleep_ms((unsigned)g_options.idle_ms);
        size_t now = purge_changes();
        bool is_quiet = now == seen;
        if (is_quiet && has_changed) { // BACKGROUND-1
            g_background.trim(0, NULL);
            now = purge_changes(); // with its own
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
    if (pthread_attr_init(&attributes) != 0) {
        return;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES); // else the default: 8 MiB
    os_signals_block(&signals);                          // they are for the program's threads
    pthread_create(&thread, &attributes, work, NULL);
    os_signals_restore(&signals);
    pthread_attr_destroy(&attributes);
}
