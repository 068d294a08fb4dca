/* pool.h - a pool of include/myalloc.h: blocks that end together. Any thread, when the pool is
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
    bool is_shared;         // [const] while it lives; false: nobody takes the lock
    _Atomic(bool) is_alive; // [atomic] not destroyed
    size_t cell_bytes;      // [const] while it lives: of each block; 0: any size
    struct links chunks;    // [lock: LOCK_POOL] this and the rest: all, those with room first
    size_t empties;         // chunks without a block in use
    size_t held_bytes;      // of all chunks
    size_t used_bytes, used_bytes_max;
    struct piece_bins bins;
    struct pool *next;        // [const] all pools ever made
    struct pool *next_unused; // [lock: LOCK_POOLS]
};

// A pool without memory; NULL when there is none for itself.
struct pool *pool_create(size_t cell_bytes, bool is_shared);
// All its memory goes back; pool.c keeps the structure for the next one.
void pool_destroy(struct pool *pool);

// A block of at least `bytes`, at most those of a cell, at a multiple of `alignment`, at most
// cell_alignment() of a cell; NULL: no chunk has room for it.
void *pool_allocate(struct pool *pool, size_t bytes, size_t alignment);
// The same from a new chunk; NULL without memory.
void *pool_allocate_anew(struct pool *pool, size_t bytes, size_t alignment);
// Frees the block at `ptr`, or tells what stands there. *bytes: of the block that begins there or
// holds it, 0 when that is not known. *idle: a chunk that is the pool's no more,
// for pool_chunk_free.
enum pool_fault pool_free(struct pool *pool, void *ptr, size_t *bytes, struct pool_chunk **idle);
// Frees all blocks; the chunks stay, but for those of single blocks.
void pool_reset(struct pool *pool);

void pool_stats(struct pool *pool, struct myalloc_pool_stats *stats);

void pool_each_lock(lock_visitor *visit); // for a fork

#endif
