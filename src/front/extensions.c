/* extensions.c - the functions of include/myalloc.h; pools and the walk are in src/extensions.
 *
 * Owns:       nothing.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: none of its own.
 */
#include "myalloc.h"

#include "front/api.h"
#include "front/report.h"
#include "base/compiler.h"
#include "base/config.h"
#include "front/block.h"

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

EXPORT int myalloc_owns(const void *ptr)
{
    return ptr != NULL && block_find(ptr).fault == BLOCK_OK;
}
