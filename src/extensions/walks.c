/* walks.c - myalloc_walk of include/myalloc.h.
 *
 * Owns:       nothing.
 * Threads:    any.
 * Locks:      none while the callback runs.
 * Invariants: none of its own.
 */
#include "myalloc.h"

#include "base/compiler.h"
#include "core/thread.h"
#include "front/start.h"
#include "inspect/walk.h"

#include <errno.h>

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
