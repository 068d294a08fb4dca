/* huge_index.h - a hash table, growing as needed, that maps a user pointer to its huge block.
 *
 * All functions require LOCK_HUGE, held by huge.c, except huge_index_find(), which any thread may
 * call without it: for a block that the caller owns it then returns that block, or misses.
 */
#ifndef PAGES_HUGE_INDEX_H
#define PAGES_HUGE_INDEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct mapping {
    char *start;
    size_t bytes;
    bool is_backed; // was made as a part of the file of backing:DIR
};

struct huge_block {
    _Atomic(const void *) ptr;         // [atomic] what the user got; NULL while unused
    _Atomic(struct huge_block *) next; // [atomic] in its bucket or unused list, under LOCK_HUGE
    _Atomic(size_t) usable;            // [atomic] bytes from ptr to the end of the mapping
    struct mapping mapping;            // [lock: LOCK_HUGE]
};

// Returns an unused structure, in no bucket; NULL: out of memory.
struct huge_block *huge_index_new(void);
// Returns a structure that is in no bucket to the unused ones.
void huge_index_recycle(struct huge_block *block);

void huge_index_insert(struct huge_block *block);
// Removes the block; its structure still belongs to the caller.
void huge_index_remove(struct huge_block *block);

// The block that begins at `ptr`; NULL: there is none, or it was missed without the lock.
struct huge_block *huge_index_find(const void *ptr);

// Iterates over the blocks in any order, starting with NULL; NULL: no more.
struct huge_block *huge_index_next(const struct huge_block *block);

#endif
