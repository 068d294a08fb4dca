/* start.c - the first request: options, policies, the region.
 *
 * Owns:       the mode of the process.
 * Threads:    any.
 * Locks:      LOCK_START; span_start() below takes none.
 * Invariants: START-1  the mode leaves START_NOT_YET once and never changes again.
 */
#include "front/start.h"

#include "pages/page_fit.h"
#include "pages/huge_pages.h"
#include "pages/limit.h"
#include "pages/purge.h"
#include "pages/span.h"
#include "base/config.h"
#include "base/libc_env.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/slot.h"
#include "front/mode.h"
#include "base/options.h"

#include <string.h>

static struct {
    struct lock lock;
    _Atomic(uint32_t) mode; // [atomic] enum start_mode; written under LOCK_START
} g_start = {.lock = LOCK_INIT(LOCK_START)};

// The names in the list are separated by colons or commas.
static bool is_listed(const char *list, const char *name)
{
    ASSERT(list != NULL);
    size_t bytes = strlen(name);
    while (*list != '\0') {
        size_t length = strcspn(list, ":,");
        if (length == bytes && bytes != 0 && memcmp(list, name, bytes) == 0) {
            return true;
        }
        list += length + (list[length] != '\0');
    }
    return false;
}

// MYALLOC_EXCLUDE names programs that keep libc's malloc; for a script, its interpreter counts too.
static bool is_excluded(void)
{
    const char *list = os_env("MYALLOC_EXCLUDE");
    struct os_name file;
    return list != NULL &&
           (is_listed(list, os_program_name()) || is_listed(list, os_executable_name(&file)));
}

void start_configure_purge(void)
{
    ASSERT(g_options.purge <= 1);
    purge_configure(&(struct purge_settings){
        .enabled = g_options.purge != 0 && g_options.trim_bytes != SIZE_MAX,
        .trim_bytes = g_options.trim_bytes,
        .top_pad_bytes = g_options.top_pad_bytes,
    });
}

static enum start_mode start(void)
{
    ASSERT(lock_is_mine(&g_start.lock));
    ASSERT(start_mode() == START_NOT_YET); // START-1
    if (!CONFIG_STATIC && is_excluded()) {
        return START_FORWARDING;
    }
    libc_env_read(&g_options);
    options_read();
    page_fit_set_policy((enum page_fit_policy)g_options.fit);
    bool hides_pages = g_options.harden != 0; // single ones, which would split huge pages
    huge_pages_set(hides_pages ? HUGE_PAGES_NEVER : (enum huge_pages_mode)g_options.huge_pages);
    limit_set(g_options.huge_bytes);
    limit_set_maps(g_options.huge_max);
    start_configure_purge();
    if (!span_start(g_options.brk != 0) || !slot_start((enum slot_kind)g_options.cpu_cache)) {
        return START_NOT_YET;
    }
    mode_start();
    return START_SERVING;
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
    if (!lock_acquire_to_look(&g_start.lock)) { // a signal handler that interrupted this function
        return START_NOT_YET;
    }
    ASSERT(!mode_is_plain() || start_mode() == START_SERVING);
    if (start_mode() == START_NOT_YET) { // START-1
        // release: pairs with the acquire in start_mode
        atomic_store_explicit(&g_start.mode, start(), memory_order_release);
    }
    ASSERT(lock_is_mine(&g_start.lock));
    lock_release_after_look(&g_start.lock, true);
    return start_mode();
}

void start_each_lock(lock_visitor *visit)
{
    visit(&g_start.lock);
}
