/* hardened.c - hardened mode: blocks in slots, or between guard pages.
 *
 * Owns:       the choice between the two.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: HARDENED-1  the usual malloc and free of small blocks call nothing, but as the last
 *                         thing they do; so they keep no register and have no frame.
 */
#include "thread/hardened.h"

#include "heap/canary.h"
#include "heap/stock.h"
#include "thread/thread.h"

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

void *hardened_take(struct heap *heap, size_t bytes, size_t room, size_t alignment)
{
    bool fits = bytes < g_harden.alone_bytes &&
                (LIKELY(alignment <= BLOCK_ALIGN_BYTES) ||
                 size_class_of_aligned(bytes + CANARY_BYTES, alignment) < CLASSES);
    if (LIKELY(fits)) {
        return harden_take(heap, bytes, alignment);
    }
    harden_check_last(heap);
    return fence_take(bytes, room, alignment, heap->caller);
}

// The heap of this thread; NULL: there is none, or more to do than to take or give a block.
static inline struct heap *own_heap(void)
{
    struct heap *heap = (struct heap *)((uintptr_t)t_cache.self & ~(uintptr_t)1); // NOLINT: tag
    if (UNLIKELY(heap == NULL) || UNLIKELY(heap->busy != 0) || UNLIKELY(thread_has_deferred())) {
        return NULL;
    }
    return heap;
}

static inline void enter(struct heap *heap, const void *caller)
{
    heap->busy = BUSY_INSIDE;
    heap->caller = caller;
    atomic_signal_fence(memory_order_seq_cst); // signal handlers see `busy` first
}

// What take_small leaves: other sizes, an empty stock, a slot that was written to.
static NOINLINE void *take_other(size_t bytes, size_t alignment, const void *caller)
{
    bool fits = bytes < g_harden.alone_bytes &&
                (LIKELY(alignment <= BLOCK_ALIGN_BYTES) ||
                 size_class_of_aligned(bytes + CANARY_BYTES, alignment) < CLASSES);
    struct heap *heap = fits ? own_heap() : NULL;
    if (heap == NULL) {
        return NULL;
    }
    enter(heap, caller);
    void *ptr = harden_take(heap, bytes, alignment);
    thread_leave_own(heap);
    return ptr;
}

// HARDENED-1: no call but the last of all, so that no register has to be kept. `whole`: of the
// slot, at least; with it a class is chosen all of whose slots are aligned (CLASS-3).
static void *take_small(size_t bytes, size_t whole, size_t alignment, const void *caller)
{
    struct heap *heap = own_heap();
    if (UNLIKELY(heap == NULL) || UNLIKELY(heap->harden == NULL)) {
        return take_other(bytes, alignment, caller);
    }
    enter(heap, caller);
    struct harden *harden = heap->harden;
    struct stock *stock = &harden->stocks[size_class_of_small(whole)];
    char *ptr = rack_ptr_of_word(stock->chosen);
    size_t slot_bytes = stock->slot_bytes;
    if (UNLIKELY(ptr == NULL) || UNLIKELY(!is_all_zero(harden->last, LAST_BYTES))) {
        thread_leave_own(heap);
        return take_other(bytes, alignment, caller);
    }
    slot_touch(ptr, slot_bytes, rack_record_at(stock->record));
    if (UNLIKELY(!slot_is_zero_at_ends(ptr, slot_bytes))) {
        thread_leave_own(heap);
        return take_other(bytes, alignment, caller);
    }
    rack_set_used(stock->record, slot_bytes - bytes);
    canary_write(canary_word(ptr), ptr + bytes, slot_bytes - bytes, CANARY_BYTES);
    stock_choose(harden, stock);
    thread_leave_own(heap);
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
    struct heap *heap = own_heap();
    if (heap == NULL) {
        return false;
    }
    enter(heap, caller);
    harden_give(heap, rack, slot, caller);
    thread_leave_own(heap);
    return true;
}

// The stock has no room for what waited, or nothing did.
static NOINLINE bool put_other(struct heap *heap, unsigned class, uint64_t displaced)
{
    if (displaced != 0) {
        harden_put(heap, class, displaced);
    }
    thread_leave_own(heap);
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

// HARDENED-1. The cleared slot waits; what it displaces may be used again.
static inline bool keep(struct heap *heap, unsigned class, uint64_t word)
{
    struct harden *harden = heap->harden;
    struct stock *stock = &harden->stocks[class];
    unsigned at = stock->at;
    uint64_t displaced = stock->ring[at];
    stock->ring[at] = word;
    stock->at = (uint16_t)(at + 1 == stock->delay ? 0 : at + 1);
    harden->last = rack_ptr_of_word(word);
    unsigned count = stock->count;
    if (UNLIKELY(displaced == 0) || UNLIKELY(count == stock->room)) {
        return put_other(heap, class, displaced);
    }
    stock->words[count] = displaced;
    stock->count = (uint16_t)(count + 1);
    thread_leave_own(heap);
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
    struct heap *heap = own_heap();
    if (UNLIKELY((record & RECORD_USED) == 0) || UNLIKELY(heap == NULL)) {
        return false;
    }
    if (UNLIKELY(rack->class >= g_harden.quick_classes) || UNLIKELY(heap->harden == NULL) ||
        UNLIKELY(!is_whole(ptr, slot, rack->slot_bytes, record))) {
        return give_other(rack, slot, caller);
    }
    enter(heap, caller);
    slot_clear_small(ptr, rack->slot_bytes);
    rack_set_free(&rack->records[slot], record);
    return keep(heap, rack->class, rack_word(ptr, slot));
}

void hardened_give(struct heap *heap, const struct block *block, void *ptr, const void *caller)
{
    if (block->kind == BLOCK_SLOT) {
        struct rack *rack = rack_of(block->head);
        harden_give(heap, rack, rack_slot_of(rack, ptr), caller);
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

size_t hardened_trim(struct heap *heap, const void *caller)
{
    harden_flush(heap);
    return fence_trim(caller) + rack_trim(caller);
}
