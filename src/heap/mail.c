/* mail.c - remote bits, posting, collecting, claiming.
 *
 * Owns:       struct remote of small slabs, and the mail list of each heap.
 * Threads:    senders any; collectors the owner of the heap.
 * Locks:      LOCK_MAIL of the heap that owns the slab; pool_put() below takes LOCK_POOL.
 * Invariants: MAIL-1  count is the number of bits set; posted exactly while count != 0.
 *             MAIL-2  a slab on the mail of a heap is owned by that heap.
 *             MAIL-3  a slab is claimed only when FULL and every block is here: then none is on
 *                     its own list, in a bin, or in the user's hands.
 *
 * Sleepers: the owner publishes FULL and then looks at `count`; a sender adds to `count` and then
 * looks at the state, both sequentially consistent. So either the owner sees the blocks and
 * collects them, or the last sender sees FULL and claims the slab: an owner that sleeps strands
 * nothing.
 */
#include "heap/mail.h"

#include "heap/pool.h"
#include "heap/slab.h"

#include <string.h>

static void mail_link_locked(struct heap *heap, struct chunk *slab)
{
    uint32_t index = page_map_index(slab);
    struct remote *remote = page_map_remote(index);
    uint32_t head = atomic_load_explicit(&heap->mail_head, memory_order_relaxed);
    remote->mail_prev = 0;
    remote->mail_next = head;
    if (head != 0) {
        page_map_remote(head)->mail_prev = index;
    }
    remote->posted = true;
    atomic_store_explicit(&heap->mail_head, index, memory_order_relaxed);
}

static void mail_unlink_locked(struct heap *heap, struct remote *remote)
{
    if (remote->mail_next != 0) {
        page_map_remote(remote->mail_next)->mail_prev = remote->mail_prev;
    }
    if (remote->mail_prev != 0) {
        page_map_remote(remote->mail_prev)->mail_next = remote->mail_next;
    } else {
        atomic_store_explicit(&heap->mail_head, remote->mail_next, memory_order_relaxed);
    }
    remote->posted = false;
}

// Forgets what came for a slab; its bits and count are zero again.
static void remote_clear_locked(struct heap *heap, struct remote *remote)
{
    if (remote->posted) {
        mail_unlink_locked(heap, remote);
    }
    memset(remote->bits, 0, sizeof remote->bits);
    heap->came_home += atomic_load_explicit(&remote->count, memory_order_relaxed);
    atomic_store_explicit(&remote->count, 0, memory_order_relaxed); // MAIL-1
}

static enum mail_result send_locked(struct heap *heap, struct chunk *slab, const void *ptr)
{
    struct remote *remote = page_map_remote(page_map_index(slab));
    unsigned block = slab_block_index(slab, ptr);
    uint64_t bit = 1UL << (block % 64);
    ASSERT(block < SMALL_BLOCKS_MAX);
    if ((remote->bits[block / 64] & bit) != 0) {
        return MAIL_DOUBLE;
    }
    remote->bits[block / 64] |= bit;
    // seq_cst: see Sleepers above; pairs with heap_retire_active
    uint32_t count = atomic_fetch_add_explicit(&remote->count, 1, memory_order_seq_cst) + 1;
    uint8_t state = atomic_load_explicit(&slab->state, memory_order_seq_cst);
    if (state == CHUNK_FULL && count == slab->carved) { // MAIL-3
        remote_clear_locked(heap, remote);
        slab_close(slab);
        return MAIL_EMPTIED;
    }
    if (!remote->posted) {
        mail_link_locked(heap, slab);
    }
    return MAIL_SENT;
}

// Holds the lock of a heap, and of no other; false: it is busy, and we may not wait.
static bool round_hold(struct mail_round *round, struct heap *heap, bool wait) UNCHECKED_LOCKS
{
    if (round->held == heap) {
        return true;
    }
    mail_round_end(round);
    if (wait) {
        lock_acquire(&heap->mail_lock);
    } else if (!lock_try_acquire(&heap->mail_lock)) {
        return false;
    }
    round->held = heap;
    return true;
}

enum mail_result mail_send(struct mail_round *round, struct chunk *slab, const void *ptr, bool wait)
{
    for (;;) {
        struct heap *heap = chunk_owner(slab);
        if (heap == NULL) {
            mail_round_end(round);
            return MAIL_UNOWNED;
        }
        if (!round_hold(round, heap, wait)) {
            return MAIL_BUSY;
        }
        if (chunk_owner(slab) == heap) { // MAIL-2: else it has moved meanwhile
            enum mail_result result = send_locked(heap, slab, ptr);
            if (result != MAIL_SENT) {
                mail_round_end(round);
            }
            return result;
        }
    }
}

void mail_round_end(struct mail_round *round) UNCHECKED_LOCKS
{
    if (round->held != NULL) {
        lock_release(&round->held->mail_lock);
        round->held = NULL;
    }
}

// Moves what came for a slab onto its free list, lowest address first; the number of blocks.
static unsigned collect_locked(struct heap *heap, struct chunk *slab)
{
    struct remote *remote = page_map_remote(page_map_index(slab));
    unsigned count = atomic_load_explicit(&remote->count, memory_order_relaxed);
    if (count == 0) {
        return 0;
    }
    void *first = NULL;
    void *last = NULL;
    for (size_t word = 0; word < sizeof remote->bits / sizeof remote->bits[0]; word++) {
        for (uint64_t bits = remote->bits[word]; bits != 0; bits &= bits - 1) {
            void *block = slab_block(slab, (unsigned)(word * 64) + (unsigned)__builtin_ctzll(bits));
            if (first == NULL) {
                first = block;
            } else {
                block_set_next(last, block);
            }
            last = block;
        }
    }
    ASSERT(first != NULL); // MAIL-1
    if (first != NULL) {
        slab_put_list(slab, first, last, count);
    }
    remote_clear_locked(heap, remote);
    return count;
}

struct chunk *mail_collect(struct heap *heap, bool wait, unsigned *count)
{
    if (!mail_has_any(heap)) {
        return NULL;
    }
    if (wait) {
        lock_acquire(&heap->mail_lock);
    } else if (!lock_try_acquire(&heap->mail_lock)) {
        return NULL;
    }
    struct chunk *slab = NULL;
    uint32_t index = atomic_load_explicit(&heap->mail_head, memory_order_relaxed);
    if (index != 0) {
        slab = page_map_entry(index);
        *count = collect_locked(heap, slab);
    }
    lock_release(&heap->mail_lock);
    return slab;
}

unsigned mail_collect_slab(struct heap *heap, struct chunk *slab)
{
    lock_acquire(&heap->mail_lock);
    bool is_owner = chunk_owner(slab) == heap; // a sender may have claimed it meanwhile
    unsigned count = is_owner ? collect_locked(heap, slab) : 0;
    lock_release(&heap->mail_lock);
    return count;
}

bool mail_disown(struct heap *heap, struct chunk *slab)
{
    bool is_idle = false;
    lock_acquire(&heap->mail_lock);
    if (chunk_owner(slab) == heap) { // else a sender claimed it meanwhile
        collect_locked(heap, slab);
        is_idle = slab_is_idle(slab);
        if (is_idle) {
            slab_close(slab);
        } else {
            pool_put(slab);
        }
    }
    lock_release(&heap->mail_lock);
    return is_idle;
}
