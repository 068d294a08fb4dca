/* slab_list.h - slabs linked by their entries in the page map. The caller holds the lock of the
 * class; `first` is the index of the first slab, 0 for none. */
#ifndef CORE_SLAB_LIST_H
#define CORE_SLAB_LIST_H

#include "pages/page_map.h"

#include <stdint.h>

void slab_list_insert(uint32_t *first, struct chunk *slab);
void slab_list_remove(uint32_t *first, struct chunk *slab);

// Among the first few slabs, the one with the most blocks out; in a tie, the lower one. NULL: the
// list is empty.
struct chunk *slab_list_fullest(uint32_t first);

#endif
