/* hardened.c - hardened mode: blocks in slots, or between guard pages.
 *
 * Owns:       the choice between the two.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: none of its own.
 */
#include "hardened/hardened.h"

#include "hardened/canary.h"
#include "hardened/hcache.h"
#include "hardened/quarantine.h"
#include "base/check.h"
#include "base/fatal.h"
#include "base/os.h"
#include "core/thread.h"

#define SHRUNK_MOVES_MAX (1UL << 20) // a longer block shrinks in place: a copy costs too much

struct block hardened_find(struct chunk *head, const void *ptr)
{
    if (chunk_state(head) == CHUNK_GUARDED) {
        bool begins = guarded_block(head) == ptr;
        return (struct block){BLOCK_GUARDED, begins ? BLOCK_OK : BLOCK_INTERIOR, head,
                              head->usable_bytes};
    }
    struct block block = {BLOCK_SLOT, BLOCK_OK, head, 0};
    enum harden_finding finding = harden_find(hslab_of(head), ptr, &block.bytes);
    block.fault = finding == HARDEN_IN_USE  ? BLOCK_OK
                  : finding == HARDEN_FREED ? BLOCK_FREED
                                            : BLOCK_INTERIOR;
    return block;
}

struct block hardened_find_huge(const void *ptr)
{
    bool is_freed = false;
    size_t bytes = guarded_huge_bytes(ptr, &is_freed);
    if (bytes == 0) {
        return (struct block){BLOCK_NONE, BLOCK_UNKNOWN, NULL, 0};
    }
    return (struct block){BLOCK_GUARDED, is_freed ? BLOCK_FREED : BLOCK_OK, NULL, bytes};
}

// The size of a huge block is known to a page only, that of a slot within the limits of a record.
bool hardened_is_like(const struct block *block, const void *ptr, size_t bytes, size_t alignment)
{
    ASSERT(block->fault == BLOCK_OK);
    size_t unknown = block->bytes == 1 ? 2 : 1; // a block of no bytes may have one
    if (block->head == NULL) {
        unknown = 2 * os_page_bytes();
    } else if (block->kind == BLOCK_SLOT) {
        const struct hslab *slab = hslab_of(block->head);
        unsigned record = hslab_record(slab, hslab_slot_of(slab, ptr));
        unknown = (record & HSLAB_SLACK_MAX) == HSLAB_SLACK_MAX ? SIZE_MAX : 1;
    }
    return bytes <= block->bytes && block->bytes - bytes < unknown && is_pow2(alignment) &&
           (uintptr_t)ptr % alignment == 0;
}

void *hardened_allocate(size_t bytes, size_t room, size_t alignment)
{
    ASSERT(thread_is_inside());
    ASSERT(is_pow2(alignment));
    bool fits = bytes < g_harden.alone_bytes &&
                (LIKELY(alignment <= BLOCK_ALIGN_BYTES) ||
                 size_class_of_aligned(bytes + CANARY_BYTES, alignment) < MEDIUM_END);
    struct hcache *cache = harden_acquire();
    if (cache == NULL) {
        return NULL;
    }
    void *ptr = NULL;
    if (LIKELY(fits)) {
        ptr = harden_allocate(cache, bytes, alignment);
    } else {
        harden_check_last(cache);
    }
    harden_release(cache);
    return fits ? ptr : guarded_allocate(bytes, room, alignment, t_thread.caller);
}

// Enters a slow path with the cache of this CPU; NULL: there is none, or another thread holds it,
// or there is more to do than to allocate or free a block.
static inline struct hcache *enter(const void *caller) UNCHECKED_LOCKS
{
    if (UNLIKELY(t_thread.inside != 0) || UNLIKELY(!t_thread.is_bound) ||
        UNLIKELY(thread_has_deferred())) {
        return NULL;
    }
    thread_enter(caller);
    struct hcache *cache = hcache_at(hcache_first_index());
    if (UNLIKELY(cache == NULL) || UNLIKELY(!lock_try_acquire(&cache->lock))) {
        thread_leave();
        return NULL;
    }
    return cache;
}

static inline void leave(struct hcache *cache) UNCHECKED_LOCKS
{
    ASSERT(lock_is_mine(&cache->lock));
    lock_release(&cache->lock);
    thread_leave();
}

// The cases that take_small does not serve: other sizes, an empty bin, a slot that was written to.
static NOINLINE void *take_other(size_t bytes, size_t alignment, const void *caller)
{
    ASSERT(is_pow2(alignment));
    bool fits = bytes < g_harden.alone_bytes &&
                (LIKELY(alignment <= BLOCK_ALIGN_BYTES) ||
                 size_class_of_aligned(bytes + CANARY_BYTES, alignment) < MEDIUM_END);
    struct hcache *cache = fits ? enter(caller) : NULL;
    if (cache == NULL) {
        return NULL;
    }
    void *ptr = harden_allocate(cache, bytes, alignment);
    leave(cache);
    return ptr;
}

// `whole`: the least size of the slot; it selects a class whose slots are all aligned (CLASS-3).
static void *take_small(size_t bytes, size_t whole, size_t alignment, const void *caller)
{
    ASSERT(whole >= bytes + CANARY_BYTES);
    ASSERT(whole <= SMALL_BYTES_MAX);
    struct hcache *cache = enter(caller);
    if (UNLIKELY(cache == NULL)) {
        return NULL;
    }
    struct hcache_bin *bin = &cache->bins[size_class_of_small(whole)];
    char *ptr = hslab_ptr_of_word(bin->chosen);
    size_t slot_bytes = bin->slot_bytes;
    ASSERT(slot_bytes >= whole);
    if (UNLIKELY(ptr == NULL) || UNLIKELY(!is_all_zero(cache->last, LAST_BYTES))) {
        leave(cache);
        return take_other(bytes, alignment, caller);
    }
    slot_touch(ptr, slot_bytes, hslab_record_at(bin->record));
    if (UNLIKELY(!slot_is_zero_at_ends(ptr, slot_bytes))) {
        leave(cache);
        return take_other(bytes, alignment, caller);
    }
    hslab_set_used(bin->record, slot_bytes - bytes);
    canary_write(canary_word(ptr), ptr + bytes, slot_bytes - bytes, CANARY_BYTES);
    cache->newest = ptr;
    hcache_choose(cache, bin);
    leave(cache);
    return ptr;
}

void *hardened_allocate_usual(size_t bytes, const void *caller)
{
    if (UNLIKELY(bytes - 1 >= g_harden.quick_bytes)) {
        return take_other(bytes, BLOCK_ALIGN_BYTES, caller);
    }
    return take_small(bytes, bytes + CANARY_BYTES, BLOCK_ALIGN_BYTES, caller);
}

void *hardened_allocate_aligned(size_t bytes, size_t alignment, const void *caller)
{
    size_t whole = align_up(bytes + CANARY_BYTES, alignment);
    if (UNLIKELY(bytes - 1 >= g_harden.quick_bytes) || UNLIKELY(whole > SMALL_BYTES_MAX)) {
        return take_other(bytes, alignment, caller);
    }
    return take_small(bytes, whole, alignment, caller);
}

// The cases that hardened_free_usual does not serve: other classes, an overwritten canary.
static NOINLINE bool give_other(struct hslab *slab, unsigned slot, const void *caller)
{
    struct hcache *cache = enter(caller);
    if (cache == NULL) {
        return false;
    }
    harden_free(cache, slab, slot, caller);
    leave(cache);
    return true;
}

// The bin has no room for the slot that left the quarantine, or none did.
static NOINLINE bool put_other(struct hcache *cache, unsigned sc, uint64_t displaced)
{
    ASSERT(lock_is_mine(&cache->lock));
    if (displaced != 0) {
        harden_put(cache, sc, displaced);
    }
    leave(cache);
    return true;
}

// True when the canary of the block in use and the word before the block are intact.
static inline bool is_whole(const char *ptr, unsigned slot, size_t slot_bytes, unsigned record)
{
    size_t slack = record & HSLAB_SLACK_MAX;
    return LIKELY(
               canary_is_whole(canary_word(ptr), ptr + slot_bytes - slack, slack, CANARY_BYTES)) &&
           (UNLIKELY(slot == 0) || LIKELY(slot_is_whole_before(ptr, slot_bytes)));
}

// Puts the cleared slot into quarantine; the one it displaces becomes ready.
static inline bool keep(struct hcache *cache, unsigned sc, uint64_t word)
{
    struct hcache_bin *bin = &cache->bins[sc];
    unsigned at = bin->quarantine_at;
    ASSERT(at < bin->quarantine_max);
    ASSERT(hslab_of_word(word)->sc == sc);
    uint64_t displaced = bin->quarantine[at];
    bin->quarantine[at] = word;
    bin->quarantine_at = (uint16_t)(at + 1 == bin->quarantine_max ? 0 : at + 1);
    cache->last = hslab_ptr_of_word(word);
    unsigned count = bin->ready_count;
    if (UNLIKELY(displaced == 0) || UNLIKELY(count == bin->ready_max)) {
        return put_other(cache, sc, displaced);
    }
    bin->ready[count] = displaced;
    bin->ready_count = (uint16_t)(count + 1);
    leave(cache);
    return true;
}

bool hardened_free_usual(void *ptr, const void *caller)
{
    size_t index = page_map_find(ptr);
    struct chunk *entry = page_map_entry(index);
    if (UNLIKELY(index == 0) || UNLIKELY(chunk_state(entry) != CHUNK_HSLAB)) {
        return false;
    }
    struct hslab *slab = hslab_of(entry);
    unsigned slot = hslab_slot_of(slab, ptr);
    if (UNLIKELY(slot >= slab->slots) || UNLIKELY(hslab_slot(slab, slot) != ptr)) {
        return false;
    }
    unsigned record = hslab_record(slab, slot); // free for slots below `first`
    if (UNLIKELY((record & RECORD_USED) == 0)) {
        return false;
    }
    if (UNLIKELY(slab->sc >= g_harden.quick_classes) ||
        UNLIKELY(!is_whole(ptr, slot, slab->slot_bytes, record))) {
        return give_other(slab, slot, caller);
    }
    struct hcache *cache = enter(caller);
    if (UNLIKELY(cache == NULL)) {
        return false;
    }
    slot_clear_small(ptr, slab->slot_bytes);
    hslab_set_free(&slab->records[slot], record);
    return keep(cache, slab->sc, hslab_word(ptr, slot));
}

void hardened_free(const struct block *block, void *ptr, const void *caller)
{
    ASSERT(thread_is_inside());
    ASSERT(block->fault == BLOCK_OK);
    if (block->kind == BLOCK_SLOT) {
        struct hslab *slab = hslab_of(block->head);
        struct hcache *cache = harden_acquire();
        harden_free(cache, slab, hslab_slot_of(slab, ptr), caller);
        if (cache != NULL) {
            harden_release(cache);
        }
    } else if (!guarded_free(block->head, ptr, caller)) {
        fatal_double_free(ptr, block->bytes, caller);
    }
}

void *hardened_resize(const struct block *block, void *ptr, size_t bytes, const void *caller)
{
    ASSERT(thread_is_inside());
    ASSERT(block->fault == BLOCK_OK);
    if (block->kind == BLOCK_SLOT) {
        bool fits = !g_harden.moves_always && bytes < g_harden.alone_bytes &&
                    harden_resize(hslab_of(block->head), ptr, bytes, caller);
        return fits ? ptr : NULL;
    }
    bool shrinks = bytes < block->bytes && block->bytes <= SHRUNK_MOVES_MAX;
    if ((g_harden.moves_always || shrinks) && block->head != NULL) { // pointless for huge ones
        return NULL;
    }
    return bytes >= g_harden.alone_bytes ? guarded_resize(block->head, ptr, bytes, caller) : NULL;
}

size_t hardened_trim(const void *caller)
{
    ASSERT(thread_is_inside());
    harden_flush();
    return hslab_trim(caller) + quarantine_trim(caller);
}
