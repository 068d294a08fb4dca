/* medium.c - shared mask slabs and the magazines.
 *
 * Owns:       the slabs of the medium classes; the magazines in each heap.
 * Threads:    any; a magazine only its owner.
 * Locks:      LOCK_MEDIUM of the class for masks and lists, taken once per half magazine; memory
 *             is taken and given back outside of it.
 * Invariants: MEDIUM-1  a slab is on the list of its class exactly while its mask is not 0.
 *             MEDIUM-2  no bit is set of a block in its user's hands; `listed` counts the bits.
 *             MEDIUM-3  what is in no user's hands and not in the mask is in one magazine.
 *
 * Why not owned by threads, as small slabs are: a mixed load on 20 threads would strand 20 MB in
 * slabs of 64 to 128 KiB; magazines strand a quarter of a megabyte a thread at most. And why no
 * links in the blocks: a block of a page or more would be touched for its link alone.
 */
#include "heap/medium.h"

#include "pages/page_heap.h"
#include "base/os.h"
#include "heap/slab.h"
#include "heap/thin.h"
#include "heap/watch.h"
#include "heap/size_class.h"

#include <string.h>

#define LOOKS      8  // slabs compared for the fullest
#define DRAINS_MAX 64 // in a row: from then on the magazine shrinks

static struct {
    struct ALIGNED(64) shelf {
        struct lock lock;
        uint32_t head;    // [lock: LOCK_MEDIUM] slabs with free blocks; 0 none
        uint32_t empties; // [lock: LOCK_MEDIUM] of these, slabs without blocks in use
    } shelves[MEDIUM_CLASSES];
} g_medium = {.shelves = {[0 ... MEDIUM_CLASSES - 1] = {.lock = LOCK_INIT(LOCK_MEDIUM)}}};

static struct shelf *shelf_lock(unsigned shelf) UNCHECKED_LOCKS
{
    struct shelf *found = &g_medium.shelves[shelf];
    lock_acquire(&found->lock);
    return found;
}

static void shelf_unlock(struct shelf *shelf) UNCHECKED_LOCKS
{
    lock_release(&shelf->lock);
}

static uint64_t full_mask(unsigned class)
{
    unsigned blocks = g_size_classes[class].blocks;
    return blocks == 64 ? ~0UL : (1UL << blocks) - 1;
}

// ---- holds ----

static unsigned block_of(const struct chunk *slab, const void *ptr)
{
    uintptr_t start = (uintptr_t)page_map_address(page_map_index(slab));
    return size_class_block_index(slab->class, (uintptr_t)ptr - start);
}

enum medium_finding medium_find(const struct chunk *slab, const void *ptr)
{
    unsigned block = block_of(slab, ptr);
    if (slab_block(slab, block) != ptr || block >= slab->carved) {
        return MEDIUM_INTERIOR;
    }
    return medium_hold(ptr) == HOLD_USER ? MEDIUM_IN_USE : MEDIUM_FREED;
}

static struct chunk *slab_of(const void *ptr)
{
    return chunk_head(page_map_entry(page_map_find(ptr)));
}

// ---- slabs on their shelf ----

static void shelf_insert(struct shelf *shelf, struct chunk *slab)
{
    slab->prev = 0;
    slab->next = shelf->head;
    if (slab->next != 0) {
        page_map_entry(slab->next)->prev = page_map_index(slab);
    }
    shelf->head = page_map_index(slab);
}

static void shelf_remove(struct shelf *shelf, struct chunk *slab)
{
    if (slab->next != 0) {
        page_map_entry(slab->next)->prev = slab->prev;
    }
    if (slab->prev != 0) {
        page_map_entry(slab->prev)->next = slab->next;
    } else {
        shelf->head = slab->next;
    }
}

static struct chunk *shelf_fullest(const struct shelf *shelf)
{
    struct chunk *best = NULL;
    int best_free = 0;
    uint32_t index = shelf->head;
    for (int i = 0; i < LOOKS && index != 0; i++) {
        struct chunk *slab = page_map_entry(index);
        int free = slab->listed;
        if (best == NULL || free < best_free || (free == best_free && slab < best)) {
            best = slab;
            best_free = free;
        }
        index = slab->next;
    }
    return best;
}

// A new slab, on no shelf yet; NULL without memory.
static struct chunk *slab_create(struct heap *heap, unsigned class)
{
    bool clean = false;
    size_t length = g_size_classes[class].slab_chunks;
    size_t index = page_heap_take(length, 1, &clean);
    if (index == 0) {
        return NULL;
    }
    if (clean) {
        thin_out(heap, length << CHUNK_SHIFT);
    }
    struct chunk *slab = page_map_entry(index);
    slab->class = (uint8_t) class;
    slab->carved = g_size_classes[class].blocks;
    slab->length = (uint32_t)length;
    slab->listed = slab->carved;
    slab->mask = full_mask(class);
    for (unsigned block = 0; block < slab->carved; block++) {
        medium_set_hold(slab_block(slab, block), clean ? HOLD_FRESH : HOLD_FREE);
    }
    page_map_mark_body(slab, length);
    chunk_set_state(slab, CHUNK_MEDIUM);
    return slab;
}

static void slab_destroy(struct chunk *slab)
{
    // The remote bits of a small slab begin as zero.
    for (uint32_t i = 0; i < slab->length; i++) {
        memset(page_map_remote(page_map_index(slab) + i), 0, CHUNK_BYTES >> HOLD_SHIFT);
    }
    slab->usable_bytes = size_class_bytes(slab->class); // for the message of a late free
    slab->head_distance = 0;
    chunk_set_state(slab, CHUNK_BODY);
    page_heap_give(page_map_index(slab), slab->length);
}

// ---- magazines ----

void medium_init(struct heap *heap)
{
    for (unsigned index = 0; index < MEDIUM_CLASSES; index++) {
        heap->magazine_limit[index] = (uint8_t)magazine_slots(index);
    }
}

// Moves free blocks of a slab into the magazine, lowest first.
static void draw_blocks(struct shelf *shelf, struct chunk *slab, void **slots, unsigned *count,
                        unsigned wanted)
{
    if (slab->listed == slab->carved) {
        shelf->empties--;
    }
    size_t bytes = size_class_bytes(slab->class);
    char *start = page_map_address(page_map_index(slab));
    unsigned drawn = (unsigned)min_size(wanted - *count, slab->listed);
    uint64_t mask = slab->mask;
    for (unsigned i = 0; i < drawn; i++) {
        slots[(*count)++] = start + (size_t)__builtin_ctzll(mask) * bytes; // MEDIUM-3
        mask &= mask - 1;
    }
    slab->mask = mask;
    slab->listed = (uint16_t)(slab->listed - drawn);
    if (mask == 0) {
        shelf_remove(shelf, slab); // MEDIUM-1
    }
}

static void reverse(void **slots, unsigned count)
{
    for (unsigned i = 0; i < count / 2; i++) {
        void *other = slots[i];
        slots[i] = slots[count - 1 - i];
        slots[count - 1 - i] = other;
    }
}

unsigned magazine_fill(struct heap *heap, unsigned class)
{
    unsigned index = class - SMALL_CLASSES;
    void **slots = heap->magazine[index];
    if (heap->magazine_limit[index] < magazine_slots(index)) {
        heap->magazine_limit[index] *= 2;
    }
    heap->magazine_drains[index] = 0;
    unsigned wanted = heap->magazine_limit[index] / 2;
    unsigned count = 0;
    struct chunk *created = NULL;
    struct shelf *shelf = shelf_lock(index);
    if (shelf->head == 0) {
        shelf_unlock(shelf);
        if (watch_lists_is_on(heap)) {
            watch_lists(heap);
        }
        created = slab_create(heap, class);
        shelf = shelf_lock(index);
    }
    if (created != NULL) {
        shelf_insert(shelf, created);
        shelf->empties++;
    }
    struct chunk *slab = shelf_fullest(shelf);
    while (count < wanted && slab != NULL) {
        draw_blocks(shelf, slab, slots, &count, wanted);
        slab = shelf_fullest(shelf);
    }
    shelf_unlock(shelf);
    reverse(slots, count); // the lowest is handed out first
    heap->magazine_count[index] = (uint8_t)count;
    return count;
}

// Puts one block back into its slab; true when the slab is to be destroyed by the caller.
static bool put_block(struct shelf *shelf, struct chunk *slab, void *ptr)
{
    uint64_t bit = 1UL << block_of(slab, ptr);
    ASSERT((slab->mask & bit) == 0); // MEDIUM-3
    if (slab->mask == 0) {
        shelf_insert(shelf, slab); // MEDIUM-1
    }
    slab->mask |= bit;
    slab->listed++;
    if (slab->listed != slab->carved) {
        return false;
    }
    if (shelf->empties == 0) {
        shelf->empties = 1;
        return false;
    }
    shelf_remove(shelf, slab);
    return true;
}

// Puts the oldest `count` blocks of a magazine back.
static void magazine_drain(struct heap *heap, unsigned class, unsigned count)
{
    unsigned index = class - SMALL_CLASSES;
    void **slots = heap->magazine[index];
    struct chunk *emptied[MAGAZINE_BLOCKS_MAX];
    unsigned emptied_count = 0;
    struct shelf *shelf = shelf_lock(index);
    for (unsigned i = 0; i < count; i++) {
        struct chunk *slab = slab_of(slots[i]);
        if (put_block(shelf, slab, slots[i])) {
            emptied[emptied_count++] = slab;
        }
    }
    shelf_unlock(shelf);
    unsigned left = heap->magazine_count[index] - count;
    for (unsigned i = 0; i < left; i++) {
        slots[i] = slots[i + count];
    }
    heap->magazine_count[index] = (uint8_t)left;
    for (unsigned i = 0; i < emptied_count; i++) {
        slab_destroy(emptied[i]);
    }
}

unsigned magazine_make_room(struct heap *heap, unsigned class)
{
    unsigned index = class - SMALL_CLASSES;
    uint8_t *limit = &heap->magazine_limit[index];
    if (++heap->magazine_drains[index] >= DRAINS_MAX && *limit > MAGAZINE_BLOCKS_MIN) {
        *limit /= 2;
        heap->magazine_drains[index] = 0;
    }
    magazine_drain(heap, class, heap->magazine_count[index] - *limit / 2U);
    return heap->magazine_count[index];
}

void medium_give_direct(struct chunk *slab, void *ptr)
{
    unsigned index = slab->class - (unsigned)SMALL_CLASSES;
    struct shelf *shelf = shelf_lock(index);
    bool emptied = put_block(shelf, slab, ptr);
    shelf_unlock(shelf);
    if (emptied) {
        slab_destroy(slab);
    }
}

void medium_flush(struct heap *heap)
{
    for (unsigned index = 0; index < MEDIUM_CLASSES; index++) {
        if (heap->magazine_count[index] != 0) {
            magazine_drain(heap, SMALL_CLASSES + index, heap->magazine_count[index]);
        }
    }
}

// ---- giving back ----

// The end of the row of free blocks that begins at `from`; *is_dirty: one of them was in use since
// the row was last purged.
static COLD unsigned free_row_end(const struct chunk *slab, unsigned from, bool *is_dirty)
{
    unsigned end = from;
    *is_dirty = false;
    while (end < slab->carved && ((slab->mask >> end) & 1) != 0) {
        *is_dirty |= medium_hold(slab_block(slab, end)) == HOLD_FREE;
        end++;
    }
    return end;
}

// Purges the whole pages inside rows of free blocks of a slab.
static COLD size_t purge_slab(struct chunk *slab)
{
    size_t page = os_page_bytes();
    size_t purged = 0;
    for (unsigned from = 0; from < slab->carved;) {
        bool is_dirty;
        unsigned end = free_row_end(slab, from, &is_dirty);
        uintptr_t start = align_up((uintptr_t)slab_block(slab, from), page);
        uintptr_t stop = align_down((uintptr_t)slab_block(slab, end), page);
        bool is_worth = is_dirty && start < stop;
        if (is_worth && os_purge((void *)start, stop - start)) { // NOLINT: our own memory
            purged += stop - start;
            for (unsigned block = from; block < end; block++) {
                bool is_fresh = medium_hold(slab_block(slab, block)) == HOLD_FRESH;
                medium_set_hold(slab_block(slab, block), is_fresh ? HOLD_FRESH : HOLD_PURGED);
            }
        }
        from = end + 1;
    }
    return purged;
}

COLD size_t medium_purge(void)
{
    size_t purged = 0;
    for (unsigned index = 0; index < MEDIUM_CLASSES; index++) {
        struct chunk *empty = NULL;
        struct shelf *shelf = shelf_lock(index);
        for (uint32_t i = shelf->head; i != 0; i = page_map_entry(i)->next) {
            struct chunk *slab = page_map_entry(i);
            if (slab->listed == slab->carved) {
                empty = slab;
            } else {
                purged += purge_slab(slab);
            }
        }
        if (empty != NULL) {
            shelf_remove(shelf, empty);
            shelf->empties--;
        }
        shelf_unlock(shelf);
        if (empty != NULL) {
            slab_destroy(empty);
        }
    }
    return purged;
}

// ---- looks ----

COLD unsigned medium_live_count(const struct chunk *slab)
{
    unsigned live = 0;
    for (unsigned block = 0; block < slab->carved; block++) {
        live += medium_hold(slab_block(slab, block)) == HOLD_USER;
    }
    return live;
}

COLD void medium_check(void)
{
    for (unsigned index = 0; index < MEDIUM_CLASSES; index++) {
        unsigned empties = 0;
        struct shelf *shelf = shelf_lock(index);
        for (uint32_t i = shelf->head; i != 0; i = page_map_entry(i)->next) {
            const struct chunk *slab = page_map_entry(i);
            VERIFY(chunk_state(slab) == CHUNK_MEDIUM);
            VERIFY(slab->mask != 0); // MEDIUM-1
            VERIFY((slab->mask & ~full_mask(slab->class)) == 0);
            VERIFY(__builtin_popcountll(slab->mask) == slab->listed); // MEDIUM-2
            empties += slab->listed == slab->carved;
            for (unsigned block = 0; block < slab->carved; block++) {
                bool is_free = medium_hold(slab_block(slab, block)) != HOLD_USER;
                VERIFY(is_free || ((slab->mask >> block) & 1) == 0); // MEDIUM-2
            }
        }
        VERIFY(empties == shelf->empties);
        shelf_unlock(shelf);
    }
}

void medium_prefork(void)
{
    for (unsigned index = 0; index < MEDIUM_CLASSES; index++) {
        lock_acquire_for_fork(&g_medium.shelves[index].lock);
    }
}

void medium_postfork_parent(void)
{
    for (unsigned index = 0; index < MEDIUM_CLASSES; index++) {
        lock_release_after_fork(&g_medium.shelves[index].lock);
    }
}

void medium_postfork_child(void)
{
    for (unsigned index = 0; index < MEDIUM_CLASSES; index++) {
        lock_init(&g_medium.shelves[index].lock, LOCK_MEDIUM);
    }
}
