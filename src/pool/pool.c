/* pool.c - the pools of include/myalloc.h: chunks of cells or of pieces.
 *
 * Owns:       all pools; a pool owns its chunks.
 * Threads:    any if the pool is shared.
 * Locks:      LOCK_POOLS for the list of pools; LOCK_POOL, one per shared pool, held across the
 *             page heap only in a reset. A fork takes both: pools are consistent in the child.
 * Invariants: POOL-1  held_bytes are those of all chunks; used_bytes those of blocks in use.
 *             POOL-2  chunks of cells with room precede those without.
 *             POOL-3  at most one chunk without a block in use is kept, except after a reset.
 */
#include "pool/pool.h"

#include "base/check.h"

#include "base/meta_alloc.h"

#include <string.h>

#define CELLS_MIN    8             // in a chunk, if cells are no longer than SINGLE_BYTES
#define SINGLE_BYTES (64UL * 1024) // in a pool of any size, a longer block has its own chunk
#define HELD_SHIFT   2             // the next chunk is a quarter of all previous ones

static_assert((POOL_CHUNK_LENGTH - 1) * CHUNK_BYTES >= SINGLE_BYTES, "a new chunk has the piece");

static struct {
    struct lock lock;
    _Atomic(struct pool *) first; // [atomic] all pools; written under LOCK_POOLS
    struct pool *unused;          // [lock: LOCK_POOLS]
} g_pools = {.lock = LOCK_INIT(LOCK_POOLS)};

static bool is_locked(const struct pool *pool)
{
    return !pool->is_shared || lock_is_mine(&pool->lock);
}

static void pool_lock(struct pool *pool) UNCHECKED_LOCKS
{
    if (pool->is_shared) {
        lock_acquire(&pool->lock);
    }
}

static void pool_unlock(struct pool *pool) UNCHECKED_LOCKS
{
    if (pool->is_shared) {
        lock_release(&pool->lock);
    }
}

// ---- chunks ----

static void links_insert(struct links *before, struct links *links)
{
    ASSERT(before->next->prev == before);
    links->prev = before;
    links->next = before->next;
    links->next->prev = links;
    before->next = links;
}

static void links_remove(struct links *links)
{
    ASSERT(links->prev->next == links);
    ASSERT(links->next->prev == links);
    links->prev->next = links->next;
    links->next->prev = links->prev;
}

// POOL-2: after the first free in a full chunk, or the allocation of its last block.
static void chunk_move(struct pool *pool, struct pool_chunk *chunk)
{
    ASSERT(is_locked(pool));
    ASSERT(chunk->pool == pool);
    bool has_room = chunk->used < chunk->units;
    links_remove(&chunk->links);
    links_insert(has_room ? &pool->chunks : pool->chunks.prev, &chunk->links);
}

// Removes an empty chunk from the pool.
static void chunk_unlink(struct pool *pool, struct pool_chunk *chunk)
{
    ASSERT(chunk->used == 0);
    ASSERT(is_locked(pool));
    ASSERT(pool->empties != 0);                          // POOL-3
    ASSERT(pool->held_bytes >= pool_chunk_bytes(chunk)); // POOL-1
    links_remove(&chunk->links);
    chunk->pool = NULL;
    pool->held_bytes -= pool_chunk_bytes(chunk);
    pool->empties--;
    if (chunk->has_pieces) {
        piece_forget(&pool->bins, chunk);
    }
}

// ---- blocks ----

static size_t rounded(const struct pool *pool, size_t bytes)
{
    return pool->cell_bytes != 0 ? pool->cell_bytes
                                 : align_up(max_size(bytes, 1), PIECE_UNIT_BYTES);
}

// True when every new chunk of pieces has a piece of this length.
static bool is_piece(const struct pool *pool, size_t bytes, size_t alignment)
{
    ASSERT(bytes % PIECE_UNIT_BYTES == 0);
    ASSERT(alignment >= PIECE_UNIT_BYTES);
    return pool->cell_bytes == 0 && bytes + (alignment - PIECE_UNIT_BYTES) <= SINGLE_BYTES;
}

static void note_taken(struct pool *pool, struct pool_chunk *chunk, size_t bytes)
{
    ASSERT(is_locked(pool));
    ASSERT(chunk->used != 0);
    ASSERT(chunk->used != 1 || pool->empties != 0);
    pool->empties -= chunk->used == 1;
    if (chunk->used == chunk->units) {
        chunk_move(pool, chunk);
    }
    pool->used_bytes += bytes; // POOL-1
    pool->used_bytes_max = max_size(pool->used_bytes_max, pool->used_bytes);
    ASSERT(pool->used_bytes <= pool->held_bytes); // POOL-1
}

// Allocates from the existing chunks; `bytes` are rounded.
static void *take_locked(struct pool *pool, size_t bytes, size_t alignment)
{
    ASSERT(is_locked(pool));
    void *ptr = NULL;
    struct pool_chunk *chunk = (struct pool_chunk *)pool->chunks.next;
    if (is_piece(pool, bytes, alignment)) {
        ptr = piece_allocate(&pool->bins, bytes / PIECE_UNIT_BYTES, alignment, &chunk);
    } else if (&chunk->links != &pool->chunks && chunk->used < chunk->units && !chunk->has_pieces &&
               chunk->unit_bytes == bytes) { // POOL-2
        ptr = cell_allocate(chunk);
    }
    if (ptr != NULL) {
        note_taken(pool, chunk, bytes);
    }
    ASSERT((uintptr_t)ptr % alignment == 0);
    return ptr;
}

void *pool_allocate(struct pool *pool, size_t bytes, size_t alignment)
{
    ASSERT(pool->cell_bytes == 0 || bytes <= pool->cell_bytes);
    pool_lock(pool);
    void *ptr = take_locked(pool, rounded(pool, bytes), alignment);
    pool_unlock(pool);
    return ptr;
}

// How many chunks of the region a new pool chunk should have: few at first, more as the pool grows.
static size_t wish(struct pool *pool)
{
    pool_lock(pool);
    size_t length = pool->held_bytes >> (CHUNK_SHIFT + HELD_SHIFT);
    pool_unlock(pool);
    return clamp_size(length, POOL_CHUNK_LENGTH, POOL_CHUNK_LENGTH_MAX);
}

void *pool_allocate_anew(struct pool *pool, size_t bytes, size_t alignment)
{
    ASSERT(pool->cell_bytes == 0 || bytes <= pool->cell_bytes);
    bytes = rounded(pool, bytes);
    bool has_pieces = is_piece(pool, bytes, alignment);
    bool is_single = !has_pieces && pool->cell_bytes == 0;
    size_t least = !is_single && bytes <= SINGLE_BYTES ? CELLS_MIN : 1;
    size_t first = is_single ? alignment : has_pieces ? PIECE_UNIT_BYTES : cell_alignment(bytes);
    struct pool_chunk *chunk = pool_chunk_allocate(has_pieces ? PIECE_UNIT_BYTES : bytes, least,
                                                   is_single ? 0 : wish(pool), has_pieces, first);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->pool = pool;
    chunk->is_single = is_single;
    pool_lock(pool);
    void *ptr = take_locked(pool, bytes, alignment);
    bool is_needed = ptr == NULL; // else others made room meanwhile
    if (is_needed) {
        links_insert(&pool->chunks, &chunk->links);
        pool->held_bytes += pool_chunk_bytes(chunk);
        pool->empties++;
        pool_chunk_reset(chunk, &pool->bins);
        ptr = take_locked(pool, bytes, alignment);
    }
    pool_unlock(pool);
    if (!is_needed) {
        pool_chunk_free(chunk);
    }
    return ptr;
}

// Counts a free; returns the chunk, removed from the pool, if it is to be released.
static struct pool_chunk *note_given(struct pool *pool, struct pool_chunk *chunk, size_t bytes)
{
    ASSERT(is_locked(pool));
    ASSERT(pool->used_bytes >= bytes); // POOL-1
    pool->used_bytes -= bytes;         // POOL-1
    if (chunk->used + 1 == chunk->units) {
        chunk_move(pool, chunk);
    }
    if (chunk->used != 0 || (pool->empties++ == 0 && !chunk->is_single)) {
        return NULL;
    }
    chunk_unlink(pool, chunk); // POOL-3
    return chunk;
}

enum pool_fault pool_free(struct pool *pool, void *ptr, size_t *bytes, struct pool_chunk **idle)
{
    enum pool_fault fault = POOL_FOREIGN;
    *idle = NULL;
    pool_lock(pool);
    struct pool_chunk *chunk = pool_chunk_of(ptr);
    if (chunk != NULL && chunk->pool == pool) {
        fault = chunk->has_pieces ? piece_free(&pool->bins, chunk, ptr, bytes)
                                  : cell_free(chunk, ptr, bytes);
        if (fault == POOL_OK) {
            *idle = note_given(pool, chunk, *bytes);
        }
    }
    pool_unlock(pool);
    return fault;
}

// Resets every chunk, but releases those of single blocks; `keeps` false: releases all.
static void empty(struct pool *pool, bool keeps)
{
    ASSERT(pool->is_alive);
    struct links *next;
    pool_lock(pool);
    memset(&pool->bins, 0, sizeof pool->bins);
    pool->used_bytes = 0;
    pool->empties = 0;
    pool->is_alive = keeps;
    for (struct links *at = pool->chunks.next; at != &pool->chunks; at = next) {
        struct pool_chunk *chunk = (struct pool_chunk *)at;
        next = at->next;
        pool_chunk_reset(chunk, &pool->bins);
        pool->empties++;
        if (!keeps || chunk->is_single) {
            chunk_unlink(pool, chunk);
            pool_chunk_free(chunk);
        }
    }
    ASSERT(keeps || pool->held_bytes == 0); // POOL-1
    pool_unlock(pool);
}

void pool_reset(struct pool *pool)
{
    empty(pool, true);
}

// ---- pools ----

struct pool *pool_create(size_t cell_bytes, bool is_shared)
{
    lock_acquire(&g_pools.lock);
    struct pool *pool = g_pools.unused;
    if (pool != NULL) {
        g_pools.unused = pool->next_unused;
    } else {
        pool = meta_alloc(sizeof *pool);
        if (pool != NULL) {
            lock_init(&pool->lock, LOCK_POOL);
            pool->next = atomic_load_explicit(&g_pools.first, memory_order_relaxed);
            atomic_store_explicit(&g_pools.first, pool, memory_order_relaxed);
        }
    }
    if (pool != NULL) {
        ASSERT(pool->held_bytes == 0); // POOL-1
        ASSERT(!pool->is_alive);
        pool->is_shared = is_shared;
        pool->is_alive = true;
        pool->cell_bytes = align_up(cell_bytes, PIECE_UNIT_BYTES);
        pool->chunks = (struct links){&pool->chunks, &pool->chunks};
        pool->used_bytes_max = 0;
    }
    lock_release(&g_pools.lock);
    return pool;
}

void pool_destroy(struct pool *pool)
{
    empty(pool, false);
    ASSERT(!pool->is_alive);
    lock_acquire(&g_pools.lock);
    pool->next_unused = g_pools.unused;
    g_pools.unused = pool;
    lock_release(&g_pools.lock);
}

static void count_pieces(const struct piece_bins *bins, struct myalloc_pool_stats *stats)
{
    for (size_t bin = 0; bin < PIECE_BINS; bin++) {
        ASSERT((bins->heads[bin] != NULL) == (((bins->mask[bin / 64] >> (bin % 64)) & 1) != 0));
        for (const struct piece *piece = bins->heads[bin]; piece != NULL; piece = piece->next) {
            size_t bytes = piece_units(piece, bin) * PIECE_UNIT_BYTES;
            stats->free_pieces++;
            stats->longest_free = max_size(stats->longest_free, bytes);
        }
    }
}

void pool_stats(struct pool *pool, struct myalloc_pool_stats *stats)
{
    pool_lock(pool);
    ASSERT(pool->used_bytes <= pool->used_bytes_max);
    *stats = (struct myalloc_pool_stats){
        .block_bytes = pool->cell_bytes,
        .used = pool->used_bytes,
        .used_peak = pool->used_bytes_max,
        .held = pool->held_bytes,
    };
    for (const struct links *at = pool->chunks.next; at != &pool->chunks; at = at->next) {
        const struct pool_chunk *chunk = (const struct pool_chunk *)at;
        stats->chunks++;
        stats->blocks += chunk->used;
        if (pool->cell_bytes != 0 && chunk->used < chunk->units) {
            stats->free_pieces += chunk->units - chunk->used;
            stats->longest_free = pool->cell_bytes;
        }
    }
    count_pieces(&pool->bins, stats);
    pool_unlock(pool);
}

// ---- fork ----

void pool_each_lock(lock_visitor *visit)
{
    visit(&g_pools.lock);
    struct pool *pool = atomic_load_explicit(&g_pools.first, memory_order_relaxed);
    for (; pool != NULL; pool = pool->next) {
        visit(&pool->lock);
    }
}
