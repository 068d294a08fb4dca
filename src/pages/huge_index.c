/* huge_index.c - a hash table of huge blocks by their pointers, with chaining.
 *
 * Owns:       the structures of huge blocks, used and unused, and the buckets.
 * Threads:    see huge_index.h.
 * Locks:      takes none; meta_alloc() below takes LOCK_META.
 * Invariants: INDEX-1  a block is in the chain of its pointer exactly while it is in use.
 *             INDEX-2  buckets double when there are more blocks than buckets.
 *
 * Lock-free look-ups: structures are type-stable, and neither their memory nor that of former
 * buckets is ever unmapped, so a reader may follow any link it finds. A block that moves to another
 * chain meanwhile can divert the reader, at worst into a miss; huge.c then searches again under the
 * lock. The caller owns the block it asks for, so that one moves only when the table grows.
 */
#include "pages/huge_index.h"

#include "base/check.h"
#include "base/compiler.h"
#include "base/live.h"
#include "base/meta_alloc.h"
#include "base/os.h"

#include <stdint.h>

#define FIRST_SHIFT 6U  // static buckets, which need no mapping
#define LAST_SHIFT  28U // more blocks than the kernel has mappings

typedef _Atomic(struct huge_block *) bucket;

// Published as a whole: a reader must not combine the buckets of one with the shift of another.
struct buckets {
    unsigned shift; // [const]
    bucket heads[];
};

static struct {
    unsigned shift;
    bucket heads[1U << FIRST_SHIFT];
} g_first = {.shift = FIRST_SHIFT};

static struct {
    _Atomic(struct buckets *) buckets; // [atomic] written under LOCK_HUGE; NULL: the first ones
    struct huge_block *unused;         // [lock: LOCK_HUGE]
    size_t count;                      // [lock: LOCK_HUGE] blocks in the chains
} g_huge_index;

static struct buckets *buckets_now(void)
{
    // acquire: pairs with the release in grow
    struct buckets *buckets = atomic_load_explicit(&g_huge_index.buckets, memory_order_acquire);
    return buckets != NULL ? buckets : (struct buckets *)(void *)&g_first;
}

static size_t index_of(const struct buckets *buckets, const void *ptr)
{
    ASSERT(buckets->shift >= FIRST_SHIFT);
    ASSERT(buckets->shift <= LAST_SHIFT);
    uint64_t hash = ((uintptr_t)ptr >> 12) * 0x9e3779b97f4a7c15ULL;
    return hash >> (64 - buckets->shift);
}

static struct huge_block *next_of(const struct huge_block *block)
{
    // acquire: pairs with the release in huge_index_insert
    return atomic_load_explicit(&block->next, memory_order_acquire);
}

struct huge_block *huge_index_find(const void *ptr)
{
    struct buckets *buckets = buckets_now();
    struct huge_block *block =
        atomic_load_explicit(&buckets->heads[index_of(buckets, ptr)], memory_order_acquire);
    while (block != NULL && atomic_load_explicit(&block->ptr, memory_order_relaxed) != ptr) {
        block = next_of(block);
    }
    return block;
}

static void push(struct buckets *buckets, struct huge_block *block)
{
    const void *ptr = atomic_load_explicit(&block->ptr, memory_order_relaxed);
    ASSERT(ptr != NULL);
    bucket *head = &buckets->heads[index_of(buckets, ptr)];
    atomic_store_explicit(&block->next, atomic_load_explicit(head, memory_order_relaxed),
                          memory_order_relaxed);
    // release: pairs with the acquire in huge_index_find
    atomic_store_explicit(head, block, memory_order_release);
}

// Moves all blocks into twice as many buckets, if there is memory for them.
static void grow(void)
{
    struct buckets *old = buckets_now();
    size_t bytes = sizeof *old + (sizeof(bucket) << (old->shift + 1));
    bytes = (bytes + os_page_bytes() - 1) / os_page_bytes() * os_page_bytes();
    struct buckets *new = old->shift < LAST_SHIFT ? os_map(NULL, bytes) : NULL;
    if (new == NULL) {
        return; // chains get longer instead
    }
    live_add(MYALLOC_LIVE_REGION_TABLE, new, bytes);
    new->shift = old->shift + 1;
    for (size_t i = 0; i < (size_t)1 << old->shift; i++) {
        struct huge_block *next;
        for (struct huge_block *block = atomic_load_explicit(&old->heads[i], memory_order_relaxed);
             block != NULL; block = next) {
            next = next_of(block);
            push(new, block);
        }
    }
    atomic_store_explicit(&g_huge_index.buckets, new, memory_order_release);
}

void huge_index_insert(struct huge_block *block)
{
    ASSERT(huge_index_find(block->ptr) == NULL); // INDEX-1
    if (g_huge_index.count >> buckets_now()->shift != 0) {
        grow(); // INDEX-2
    }
    push(buckets_now(), block);
    ASSERT(huge_index_find(block->ptr) == block); // INDEX-1
    g_huge_index.count++;
}

void huge_index_remove(struct huge_block *block)
{
    struct buckets *buckets = buckets_now();
    const void *ptr = atomic_load_explicit(&block->ptr, memory_order_relaxed);
    bucket *link = &buckets->heads[index_of(buckets, ptr)];
    struct huge_block *at = atomic_load_explicit(link, memory_order_relaxed);
    while (at != block) {
        ASSERT(at != NULL);
        link = &at->next;
        at = atomic_load_explicit(link, memory_order_relaxed);
    }
    // release: pairs with the acquire in huge_index_find
    atomic_store_explicit(link, next_of(block), memory_order_release);
    ASSERT(huge_index_find(ptr) == NULL); // INDEX-1
    ASSERT(g_huge_index.count != 0);
    g_huge_index.count--;
}

struct huge_block *huge_index_new(void)
{
    struct huge_block *block = g_huge_index.unused;
    if (block != NULL) {
        ASSERT(block->ptr == NULL);
        g_huge_index.unused = atomic_load_explicit(&block->next, memory_order_relaxed);
        return block;
    }
    return meta_alloc(sizeof *block);
}

void huge_index_recycle(struct huge_block *block)
{
    ASSERT(block->ptr == NULL || huge_index_find(block->ptr) != block); // INDEX-1
    atomic_store_explicit(&block->ptr, NULL, memory_order_relaxed);
    atomic_store_explicit(&block->next, g_huge_index.unused, memory_order_relaxed);
    g_huge_index.unused = block;
}

// The first block in the buckets from `index` on.
static struct huge_block *first_from(const struct buckets *buckets, size_t index)
{
    for (; index < (size_t)1 << buckets->shift; index++) {
        struct huge_block *block =
            atomic_load_explicit(&buckets->heads[index], memory_order_relaxed);
        if (block != NULL) {
            return block;
        }
    }
    return NULL;
}

struct huge_block *huge_index_next(const struct huge_block *block)
{
    const struct buckets *buckets = buckets_now();
    if (block == NULL) {
        return first_from(buckets, 0);
    }
    struct huge_block *next = next_of(block);
    const void *ptr = atomic_load_explicit(&block->ptr, memory_order_relaxed);
    ASSERT(ptr != NULL);
    return next != NULL ? next : first_from(buckets, index_of(buckets, ptr) + 1);
}
