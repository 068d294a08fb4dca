/* hardened.c - hardened mode: blocks in slots, or between guard pages.
 *
 * Owns:       the choice between the two.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: none beyond those of what it calls.
 */
#include "thread/hardened.h"

#include "heap/canary.h"
#include "thread/thread.h"

struct block hardened_find(struct granule *head, const void *ptr)
{
    if (granule_state(head) == GRANULE_FENCE) {
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
    return fence_take(bytes, room, alignment);
}

// The heap of this thread, marked busy; NULL: there is more to do than to take or give a block.
static inline struct heap *enter_usual(const void *caller)
{
    struct heap *heap = (struct heap *)((uintptr_t)t_cache.self & ~(uintptr_t)1); // NOLINT: tag
    if (UNLIKELY(heap == NULL) || UNLIKELY(heap->busy != 0) || UNLIKELY(thread_has_deferred())) {
        return NULL;
    }
    heap->busy = BUSY_INSIDE;
    heap->caller = caller;
    atomic_signal_fence(memory_order_seq_cst); // signal handlers see `busy` first
    return heap;
}

void *hardened_take_usual(size_t bytes, const void *caller)
{
    struct heap *heap = bytes < g_harden.alone_bytes ? enter_usual(caller) : NULL;
    if (UNLIKELY(heap == NULL)) {
        return NULL;
    }
    void *ptr = harden_take(heap, bytes, BLOCK_ALIGN_BYTES);
    thread_leave_own(heap);
    return ptr;
}

bool hardened_give_usual(void *ptr, const void *caller)
{
    size_t index = granule_map_find(ptr);
    struct granule *entry = granule_map_entry(index);
    if (UNLIKELY(index == 0) || granule_state(entry) != GRANULE_RACK) {
        return false;
    }
    struct rack *rack = rack_of(entry);
    unsigned slot = rack_slot_of(rack, ptr);
    bool is_good = slot >= rack->first && slot < rack->slots && rack_slot(rack, slot) == ptr &&
                   (rack_record(rack, slot) & RECORD_USED) != 0;
    struct heap *heap = LIKELY(is_good) ? enter_usual(caller) : NULL;
    if (UNLIKELY(heap == NULL)) {
        return false;
    }
    harden_give(heap, rack, slot, caller);
    thread_leave_own(heap);
    return true;
}

void hardened_give(struct heap *heap, const struct block *block, void *ptr, const void *caller)
{
    if (block->kind == BLOCK_SLOT) {
        struct rack *rack = rack_of(block->head);
        harden_give(heap, rack, rack_slot_of(rack, ptr), caller);
    } else if (!fence_give(block->head, ptr, caller)) {
        die_double_free(ptr, block->bytes, caller);
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
    return fence_trim() + rack_trim(caller);
}
