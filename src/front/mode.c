/* mode.c - the features: the one file of front that names them.
 *
 * Owns:       nothing yet.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: none.
 */
#include "front/mode.h"

#include "hardened/harden.h"
#include "hardened/fence.h"
#include "hardened/rack.h"
#include "inspect/view.h"
#include "pool/pool.h"
#include "sampling/guard.h"
#include "trace/record.h"

// ---- fork ----

// What is off has no locks yet, or lies in memory that was never touched.

static void stocks_each_lock(lock_visitor *visit)
{
    if (g_harden.is_on) {
        harden_each_lock(visit);
    }
}

static void racks_each_lock(lock_visitor *visit)
{
    if (g_harden.is_on) {
        rack_each_lock(visit);
    }
}

static void fences_each_lock(lock_visitor *visit)
{
    if (g_harden.is_on) {
        fence_each_lock(visit);
    }
}

static void samples_each_lock(lock_visitor *visit)
{
    if (g_guard.every != 0) {
        guard_each_lock(visit);
    }
}

lock_walker *const g_mode_locks[LOCK_RANKS] = {
    [LOCK_WRITER] = record_each_lock, [LOCK_STOCK] = stocks_each_lock,
    [LOCK_GUARD] = samples_each_lock, [LOCK_RACK] = racks_each_lock,
    [LOCK_POOLS] = pool_each_lock,    [LOCK_FENCE] = fences_each_lock,
};

void mode_postfork_child(void)
{
    view_postfork_child();
    record_postfork_child();
}
