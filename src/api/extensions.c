/* extensions.c - the functions of include/myalloc.h.
 *
 * Owns:       nothing.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: none beyond those of what it calls.
 */
#include "myalloc.h"

#include "api/api.h"
#include "api/report.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "base/config.h"
#include "thread/block.h"

#include <string.h>

EXPORT const char *myalloc_version(void)
{
    return MYALLOC_VERSION;
}

EXPORT int myalloc_stats(struct myalloc_stats *stats, size_t size)
{
    if (stats == NULL || size == 0) {
        return -1;
    }
    struct myalloc_stats full;
    report_fill(&full);
    memset(stats, 0, size);
    memcpy(stats, &full, min_size(size, sizeof full));
    return 0;
}

EXPORT int myalloc_purge(void)
{
    return api_malloc_trim(0);
}

EXPORT int myalloc_owns(const void *ptr)
{
    return ptr != NULL && block_find(ptr).fault == BLOCK_OK;
}
