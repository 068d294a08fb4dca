/* pool.h - a pool of include/myalloc.h: blocks that are freed together. Any thread if the pool is
 * shared; else one at a time. */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include "base/lock.h"
#include "pool/pool_chunk.h"
#include "myalloc.h"

#include <stdbool.h>
#include <stddef.h>

struct pool {
    struct lock lock;
    bool is_shared;         // [const] while it lives; false: the lock is not used
    _Atomic(bool) is_alive; // [atomic] not destroyed
    size_t cell_bytes;      // [const] while it lives: size of each block; 0: any
    struct links chunks;    // [lock: LOCK_POOL] this and the rest: all, those with room first
    size_t empties;         // chunks without a block in use
    size_t held_bytes;      // of all chunks
    size_t used_bytes, used_bytes_max;
    struct piece_bins bins;
    struct pool *next;        // [const] all pools ever made
    struct pool *next_unused; // [lock: LOCK_POOLS]
};

// A pool without chunks; NULL when there is no memory for its structure.
struct pool *pool_create(size_t cell_bytes, bool is_shared);
// Releases all its memory; pool.c keeps the structure for the next one.
void pool_destroy(struct pool *pool);

// Allocates at least `bytes` at a multiple of `alignment`; in a pool of cells, at most cell_bytes
// and cell_alignment(). NULL: no chunk has room.
void *pool_allocate(struct pool *pool, size_t bytes, size_t alignment);
// The same from a new chunk; NULL when out of memory.
void *pool_allocate_anew(struct pool *pool, size_t bytes, size_t alignment);
// Frees the block at `ptr`, or reports what is there. *bytes: size of the block that begins there
// or holds it, 0 if unknown. *idle: a chunk removed from the pool, for pool_chunk_free.
enum pool_fault pool_free(struct pool *pool, void *ptr, size_t *bytes, struct pool_chunk **idle);
// Frees all blocks; keeps the chunks, except those of single blocks.
void pool_reset(struct pool *pool);

void pool_stats(struct pool *pool, struct myalloc_pool_stats *stats);

void pool_each_lock(lock_visitor *visit); // for a fork

#endif
