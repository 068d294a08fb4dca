/* extensions.h - the functions of include/myalloc.h, for programs that also run without the
 * library: weak, so that they are NULL there. Each claim about them begins with ONLY_LIBRARY(). */
#ifndef TEST_SUPPORT_EXTENSIONS_H
#define TEST_SUPPORT_EXTENSIONS_H

#include "myalloc.h"

#pragma weak myalloc_version
#pragma weak myalloc_stats
#pragma weak myalloc_purge
#pragma weak myalloc_owns
#pragma weak myalloc_walk
#pragma weak myalloc_map_file
#pragma weak myalloc_map_part
#pragma weak myalloc_map_sync
#pragma weak myalloc_map_grow
#pragma weak myalloc_unmap_file
#pragma weak myalloc_pool_create
#pragma weak myalloc_pool_alloc
#pragma weak myalloc_pool_alloc_aligned
#pragma weak myalloc_pool_free
#pragma weak myalloc_pool_reset
#pragma weak myalloc_pool_destroy
#pragma weak myalloc_pool_stats

#endif
