/* hardened.c - hardened mode: blocks in slots, or between guard pages.
 *
 * Owns:       the choice between the two.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: none beyond those of what it calls.
 */
#include "hardened/hardened.h"

#include "hardened/canary.h"
#include "hardened/stock.h"
#include "core/thread.h"

struct block hardened_find(struct chunk *head, const void *ptr)
{
    if (chunk_state(head) == CHUNK_FENCE) {
        bool begins = fence_block(head) == ptr;
        return (struct block){BLOCK_FENCE, begins ? BLOCK_OK : BLOCK_INTERIOR, head,
                              head->usable_bytes};
    }
    struct block block = {BLOCK_SLOT, BLOCK_OK, head, 0};
    enum harden_finding finding = harden_find(rack_of(head), ptr, &block.bytes);
    block.fault = finding == HARDEN_IN_USE  ? BLOCK_OK
                  : finding == HARDEN_FREED ? BLOCK_FREED
                                            : BLOCK_INTERIOR;
    return block;
}

struct block hardened_find_huge(const void *ptr)
{
    bool is_freed = false;
    size_t bytes = fence_huge_bytes(ptr, &is_freed);
    if (bytes == 0) {
        return (struct block){BLOCK_NONE, BLOCK_UNKNOWN, NULL, 0};
    }
    return (struct block){BLOCK_FENCE, is_freed ? BLOCK_FREED : BLOCK_OK, NULL, bytes};
}

void *hardened_take(size_t bytes, size_t room, size_t alignment)
{
    bool fits = bytes < g_harden.alone_bytes &&
                (LIKELY(alignment <= BLOCK_ALIGN_BYTES) ||
                 size_class_of_aligned(bytes + CANARY_BYTES, alignment) < MEDIUM_END);
    struct harden *harden = harden_acquire();
    if (harden == NULL) {
        return NULL;
    }
    void *ptr = NULL;
    if (LIKELY(fits)) {
        ptr = harden_take(harden, bytes, alignment);
    } else {
        harden_check_last(harden);
    }
    harden_release(harden);
    return fits ? ptr : fence_take(bytes, room, alignment, t_thread.caller);
}

// Begins a slow path with the stocks of this CPU; NULL: there are none, or somebody else is at
// them, or there is more to do than to take or give a block.
static inline struct harden *enter(const void *caller) UNCHECKED_LOCKS
{
    if (UNLIKELY(t_thread.is_inside) || UNLIKELY(!t_thread.is_bound) ||
        UNLIKELY(thread_has_deferred())) {
        return NULL;
    }
    thread_enter(caller);
    struct harden *harden = stock_at(stock_first_index());
    if (UNLIKELY(harden == NULL) || UNLIKELY(!lock_try_acquire(&harden->lock))) {
        thread_leave();
        return NULL;
    }
    return harden;
}

static inline void leave(struct harden *harden) UNCHECKED_LOCKS
{
    lock_release(&harden->lock);
    thread_leave();
}

// What take_small leaves: other sizes, an empty stock, a slot that was written to.
static NOINLINE void *take_other(size_t bytes, size_t alignment, const void *caller)
{
    bool fits = bytes < g_harden.alone_bytes &&
                (LIKELY(alignment <= BLOCK_ALIGN_BYTES) ||
                 size_class_of_aligned(bytes + CANARY_BYTES, alignment) < MEDIUM_END);
    struct harden *harden = fits ? enter(caller) : NULL;
    if (harden == NULL) {
        return NULL;
    }
    void *ptr = harden_take(harden, bytes, alignment);
    leave(harden);
    return ptr;
}

// `whole`: of the
// slot, at least; with it a class is chosen all of whose slots are aligned (CLASS-3).
static void *take_small(size_t bytes, size_t whole, size_t alignment, const void *caller)
{
    struct harden *harden = enter(caller);
    if (UNLIKELY(harden == NULL)) {
        return NULL;
    }
    struct stock *stock = &harden->stocks[size_class_of_small(whole)];
    char *ptr = rack_ptr_of_word(stock->chosen);
    size_t slot_bytes = stock->slot_bytes;
    if (UNLIKELY(ptr == NULL) || UNLIKELY(!is_all_zero(harden->last, LAST_BYTES))) {
        leave(harden);
        return take_other(bytes, alignment, caller);
    }
    slot_touch(ptr, slot_bytes, rack_record_at(stock->record));
    if (UNLIKELY(!slot_is_zero_at_ends(ptr, slot_bytes))) {
        leave(harden);
        return take_other(bytes, alignment, caller);
    }
    rack_set_used(stock->record, slot_bytes - bytes);
    canary_write(canary_word(ptr), ptr + bytes, slot_bytes - bytes, CANARY_BYTES);
    stock_choose(harden, stock);
    leave(harden);
    return ptr;
}

void *hardened_take_usual(size_t bytes, const void *caller)
{
    if (UNLIKELY(bytes - 1 >= g_harden.quick_bytes)) {
        return take_other(bytes, BLOCK_ALIGN_BYTES, caller);
    }
    return take_small(bytes, bytes + CANARY_BYTES, BLOCK_ALIGN_BYTES, caller);
}

void *hardened_take_aligned(size_t bytes, size_t alignment, const void *caller)
{
    size_t whole = align_up(bytes + CANARY_BYTES, alignment);
    if (UNLIKELY(bytes - 1 >= g_harden.quick_bytes) || UNLIKELY(whole > SMALL_BYTES_MAX)) {
        return take_other(bytes, alignment, caller);
    }
    return take_small(bytes, whole, alignment, caller);
}

// What hardened_give_usual leaves: other classes, a block that was written over.
static NOINLINE bool give_other(struct rack *rack, unsigned slot, const void *caller)
{
    struct harden *harden = enter(caller);
    if (harden == NULL) {
        return false;
    }
    harden_give(harden, rack, slot, caller);
    leave(harden);
    return true;
}

// The stock has no room for what waited, or nothing did.
static NOINLINE bool put_other(struct harden *harden, unsigned class, uint64_t displaced)
{
    if (displaced != 0) {
        harden_put(harden, class, displaced);
    }
    leave(harden);
    return true;
}

// Nothing was written over the canary of the block in use, nor before it.
static inline bool is_whole(const char *ptr, unsigned slot, size_t slot_bytes, unsigned record)
{
    size_t slack = record & RACK_SLACK_MAX;
    return LIKELY(
               canary_is_whole(canary_word(ptr), ptr + slot_bytes - slack, slack, CANARY_BYTES)) &&
           (UNLIKELY(slot == 0) || LIKELY(slot_is_whole_before(ptr, slot_bytes)));
}

// The cleared slot waits; what it displaces may be used again.
static inline bool keep(struct harden *harden, unsigned class, uint64_t word)
{
    struct stock *stock = &harden->stocks[class];
    unsigned at = stock->at;
    uint64_t displaced = stock->ring[at];
    stock->ring[at] = word;
    stock->at = (uint16_t)(at + 1 == stock->delay ? 0 : at + 1);
    harden->last = rack_ptr_of_word(word);
    unsigned count = stock->count;
    if (UNLIKELY(displaced == 0) || UNLIKELY(count == stock->room)) {
        return put_other(harden, class, displaced);
    }
    stock->words[count] = displaced;
    stock->count = (uint16_t)(count + 1);
    leave(harden);
    return true;
}

bool hardened_give_usual(void *ptr, const void *caller)
{
    size_t index = page_map_find(ptr);
    struct chunk *entry = page_map_entry(index);
    if (UNLIKELY(index == 0) || UNLIKELY(chunk_state(entry) != CHUNK_RACK)) {
        return false;
    }
    struct rack *rack = rack_of(entry);
    unsigned slot = rack_slot_of(rack, ptr);
    if (UNLIKELY(slot >= rack->slots) || UNLIKELY(rack_slot(rack, slot) != ptr)) {
        return false;
    }
    unsigned record = rack_record(rack, slot); // of those below `first` it says free
    if (UNLIKELY((record & RECORD_USED) == 0)) {
        return false;
    }
    if (UNLIKELY(rack->class >= g_harden.quick_classes) ||
        UNLIKELY(!is_whole(ptr, slot, rack->slot_bytes, record))) {
        return give_other(rack, slot, caller);
    }
    struct harden *harden = enter(caller);
    if (UNLIKELY(harden == NULL)) {
        return false;
    }
    slot_clear_small(ptr, rack->slot_bytes);
    rack_set_free(&rack->records[slot], record);
    return keep(harden, rack->class, rack_word(ptr, slot));
}

void hardened_give(const struct block *block, void *ptr, const void *caller)
{
    if (block->kind == BLOCK_SLOT) {
        struct rack *rack = rack_of(block->head);
        struct harden *harden = harden_acquire();
        harden_give(harden, rack, rack_slot_of(rack, ptr), caller);
        if (harden != NULL) {
            harden_release(harden);
        }
    } else if (!fence_give(block->head, ptr, caller)) {
        fatal_double_free(ptr, block->bytes, caller);
    }
}

void *hardened_resize(const struct block *block, void *ptr, size_t bytes, const void *caller)
{
    if (block->kind == BLOCK_SLOT) {
        bool fits = !g_harden.moves_always && bytes < g_harden.alone_bytes &&
                    harden_resize(rack_of(block->head), ptr, bytes, caller);
        return fits ? ptr : NULL;
    }
    if (g_harden.moves_always && block->head != NULL) { // huge ones would be copied in vain
        return NULL;
    }
    return bytes >= g_harden.alone_bytes ? fence_resize(block->head, ptr, bytes, caller) : NULL;
}

size_t hardened_trim(const void *caller)
{
    harden_flush();
    return fence_trim(caller) + rack_trim(caller);
}
