/* extensions.c - the functions of include/myalloc.h.
 *
 * Owns:       nothing.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: none beyond those of what it calls.
 */
#include "myalloc.h"

#include "front/api.h"
#include "front/report.h"
#include "base/compiler.h"
#include "base/config.h"
#include "inspect/walk.h"
#include "front/block.h"
#include "front/start.h"

#include <errno.h>

EXPORT const char *myalloc_version(void)
{
    return MYALLOC_VERSION;
}

EXPORT int myalloc_stats(struct myalloc_stats *stats, size_t size)
{
    struct myalloc_stats full;
    report_fill(&full);
    return report_copy(stats, size, &full, sizeof full);
}

EXPORT int myalloc_purge(void)
{
    return api_malloc_trim(0);
}

EXPORT int myalloc_walk(int (*callback)(const struct myalloc_block *block, void *argument),
                        void *argument)
{
    if (start_once() != START_SERVING) {
        return 0; // nothing is ours
    }
    bool was_inside = thread_enter_bare();
    struct walk *walk = walk_begin();
    thread_leave_bare(was_inside);
    if (walk == NULL) {
        errno = ENOMEM;
        return -1;
    }
    struct myalloc_block block;
    while (walk_next(walk, &block)) {
        int result = callback(&block, argument);
        if (result != 0) {
            walk_end(walk);
            return result;
        }
    }
    return 0;
}

EXPORT int myalloc_owns(const void *ptr)
{
    return ptr != NULL && block_find(ptr).fault == BLOCK_OK;
}
