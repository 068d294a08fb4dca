/* huge_index.h - user pointer -> huge block: a hash table that grows with what it holds.
 *
 * Everything needs LOCK_HUGE, held by huge.c, but for huge_index_find(), which any thread may call
 * without: then it finds a block whose owner asks, or nothing.
 */
#ifndef PAGES_HUGE_INDEX_H
#define PAGES_HUGE_INDEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct mapping {
    char *start;
    size_t bytes;
    bool is_backed; // of the file of backing:DIR, since it was made
};

struct huge_block {
    _Atomic(const void *) ptr;         // [atomic] what the user got; NULL while unused
    _Atomic(struct huge_block *) next; // [atomic] in the bucket or the unused, under LOCK_HUGE
    _Atomic(size_t) usable;            // [atomic] bytes from ptr to the end of the mapping
    struct mapping mapping;            // [lock: LOCK_HUGE]
};

// An unused block, in no bucket; NULL without memory.
struct huge_block *huge_index_new(void);
// Makes a block that is in no bucket unused.
void huge_index_recycle(struct huge_block *block);

void huge_index_insert(struct huge_block *block);
// Takes the block out; it stays the caller's.
void huge_index_remove(struct huge_block *block);

// The block that begins at `ptr`; NULL: there is none, or it was not found without the lock.
struct huge_block *huge_index_find(const void *ptr);

// The blocks in any order, beginning with NULL; NULL: no more.
struct huge_block *huge_index_next(const struct huge_block *block);

#endif
