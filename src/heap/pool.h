/* pool.h - small slabs without an owner, one list per class. Any thread. */
#ifndef HEAP_POOL_H
#define HEAP_POOL_H

#include "pages/page_map.h"

#include <stdbool.h>

enum pool_result {
    POOL_FREED,   // the block is on the slab's list
    POOL_EMPTIED, // it was the last one: the slab is out of the pool, its chunk the caller's
    POOL_CLAIMED, // the slab has an owner by now: ask it
};

// The slab leaves its heap: no list, no mail, no owner from here on.
void pool_put(struct chunk *slab);
// A slab of this class with free blocks, now ACTIVE and owned by `heap`; NULL when there is none.
struct chunk *pool_take(unsigned class, struct heap *heap);
// Frees one block of a slab that had no owner when the caller looked.
enum pool_result pool_free_block(struct chunk *slab, void *ptr);

// Purges single free pages of all pooled slabs; bytes given back. For malloc_trim.
size_t pool_purge_pages(void);

void pool_prefork(void);
void pool_postfork_parent(void);
void pool_postfork_child(void);

#endif
