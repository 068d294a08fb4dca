/* protocols.c - the lock protocols of the heap, in every interleaving: the real code of base/lock.c
 * and heap/ with two or three threads, one slab of four blocks, and a page heap that watches.
 *
 * At every end each block must be in one place; a slab that sleeps must not have all its blocks
 * waiting in its mail; and when all is then freed, each slab must reach the page heap exactly once.
 */
#include "pages/page_heap.h"
#include "heap/bin.h"
#include "heap/heap.h"
#include "heap/mail.h"
#include "heap/orphan.h"
#include "heap/slab.h"
#include "heap/transfer.h"
#include "heap/size_class.h"
#include "model/explore.h"

#include <stdlib.h>
#include <string.h>

enum { CLASS = SMALL_CLASSES - 1, BLOCKS = 4, HEAPS = 3, SLAB = 1, FRESH = 2, CHUNKS = 3 };

#define BLOCK_BYTES (CHUNK_BYTES / BLOCKS)

static char *g_memory; // [const] the chunks: apart from the data, since only links are state
static struct chunk g_entries[CHUNKS];
static struct remote g_remotes[CHUNKS];
static struct heap g_heaps[HEAPS];
static void *g_bins[HEAPS][SMALL_CLASSES];
static bool g_is_user[CHUNKS][BLOCKS]; // in the hands of the user
static unsigned g_taken[CHUNKS], g_given[CHUNKS];

/* In place of heap/size_class.c: slabs of few blocks have few states. */
const struct size_class g_size_classes[CLASSES] = {
    [CLASS] = {BLOCK_BYTES, 1, BLOCKS, ((1ULL << 40) + BLOCK_BYTES - 1) / BLOCK_BYTES}};

const uint8_t g_small_class_of[SMALL_BYTES_MAX + 1] = {[0 ... SMALL_BYTES_MAX] = CLASS};

unsigned size_class_of_aligned(size_t bytes, size_t alignment)
{
    (void)bytes;
    (void)alignment;
    return CLASS;
}

// ---- where blocks are ----

static void *block_at(unsigned index)
{
    return g_memory + SLAB * CHUNK_BYTES + index * BLOCK_BYTES;
}

static void note_user(void *block, bool is_user)
{
    size_t offset = (size_t)((char *)block - g_memory);
    bool *place = &g_is_user[offset >> CHUNK_SHIFT][offset % CHUNK_BYTES / BLOCK_BYTES];
    REQUIRE(*place != is_user); // handed out twice
    *place = is_user;
}

typedef unsigned count_set[BLOCKS];

static void count_list(const void *list, size_t slab, count_set counts)
{
    for (unsigned i = 0; list != NULL; list = block_next(list), i++) {
        size_t offset = (size_t)((const char *)list - g_memory);
        REQUIRE(i < 2 * BLOCKS);
        counts[offset % CHUNK_BYTES / BLOCK_BYTES] += offset >> CHUNK_SHIFT == slab;
    }
}

/* How often each block of the slab is in lists of threads and of nobody, or with the user. */
static void count_away(size_t slab, count_set counts)
{
    struct batch batches[TRANSFER_BATCHES] = {{NULL, 0}};
    for (unsigned i = 0; i < HEAPS; i++) {
        count_list(link_block(g_bins[i][CLASS]), slab, counts);
        count_list(g_heaps[i].foreign[CLASS].head, slab, counts);
    }
    transfer_look(CLASS, batches);
    for (unsigned i = 0; i < TRANSFER_BATCHES; i++) {
        count_list(batches[i].head, slab, counts);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        counts[i] += g_is_user[slab][i];
    }
}

static void require_all_in_one_place(size_t slab)
{
    count_set counts = {0};
    count_away(slab, counts);
    count_list(g_entries[slab].free, slab, counts);
    for (unsigned i = 0; i < BLOCKS; i++) {
        counts[i] += (g_remotes[slab].bits[0] >> i) & 1;
        counts[i] += i >= g_entries[slab].carved;
        REQUIRE(counts[i] != 0); // lost
        REQUIRE(counts[i] == 1); // in two places
    }
}

// ---- the page heap ----

size_t page_heap_take_without_growth(size_t length, bool *clean)
{
    (void)length;
    (void)clean;
    return 0;
}

size_t page_heap_take(size_t length, size_t alignment, bool *clean)
{
    (void)length;
    (void)alignment;
    *clean = true;
    return g_taken[FRESH]++ == 0 ? FRESH : 0;
}

void page_heap_give(size_t index, size_t length)
{
    count_set counts = {0};
    (void)length;
    count_away(index, counts);
    for (unsigned i = 0; i < BLOCKS; i++) {
        REQUIRE(counts[i] == 0); // a slab given away with blocks in use
    }
    REQUIRE(++g_given[index] <= g_taken[index]); // given away twice
    REQUIRE(chunk_owner(&g_entries[index]) == NULL);
    REQUIRE(g_remotes[index].count == 0 && !g_remotes[index].posted);
    for (unsigned i = 0; i < HEAPS; i++) {
        REQUIRE(g_heaps[i].active[CLASS] != &g_entries[index]);
        REQUIRE(g_heaps[i].partial[CLASS] != index && g_heaps[i].mail_head != index);
    }
}

void page_heap_give_late(size_t index, size_t length)
{
    page_heap_give(index, length);
}

void page_heap_tick(void)
{
}

// ---- scenes ----

/* Heap 0 owns the slab, all its blocks are with the user. */
static void set_up(void)
{
    void *list = NULL;
    unsigned count = 0;
    g_page_map = (struct page_map){
        .base = (uintptr_t)g_memory, .entries = g_entries, .remotes = g_remotes, .opened = CHUNKS};
    page_map_publish(CHUNKS);
    for (unsigned i = 0; i < HEAPS; i++) {
        heap_init(&g_heaps[i]);
        bin_clear(g_bins[i]);
        g_heaps[i].bins = g_bins[i];
        memset(g_heaps[i].watched, 255, sizeof g_heaps[i].watched);
        g_heaps[i].watched_slabs = 255;
    }
    g_taken[SLAB] = 1;
    slab_open(SLAB, CLASS, &g_heaps[0]);
    g_heaps[0].active[CLASS] = &g_entries[SLAB];
    g_heaps[0].opened[CLASS] = 1;
    while ((list = slab_carve(&g_entries[SLAB], BLOCKS, BLOCKS, &count)) != NULL) {
        for (; list != NULL; list = block_next(list)) {
            note_user(list, true);
        }
    }
}

static void send(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        note_user(block_at(i), false);
        heap_free_home(&g_entries[SLAB], block_at(i), NULL);
    }
}

static void take(struct heap *heap)
{
    void *block = bin_pop(heap, CLASS);
    if (block == NULL) {
        block = heap_refill(heap, CLASS, true);
    }
    if (block != NULL) {
        note_user(block, true);
    }
}

/* Frees what is left, from outside, then empties all heaps: each slab must reach the page heap. */
static void give_everything_back(void)
{
    for (unsigned slab = SLAB; slab < CHUNKS; slab++) {
        for (unsigned i = 0; i < BLOCKS; i++) {
            if (g_is_user[slab][i]) {
                g_is_user[slab][i] = false;
                heap_free_home(&g_entries[slab], g_memory + slab * CHUNK_BYTES + i * BLOCK_BYTES,
                               NULL);
            }
        }
    }
    for (unsigned i = 0; i < HEAPS; i++) {
        g_heaps[i].bins = g_bins[i];
        heap_flush(&g_heaps[i]);
    }
    for (unsigned i = 0; i < HEAPS; i++) {
        heap_drain_transfer(&g_heaps[i]);
        heap_flush(&g_heaps[i]);
        heap_dissolve(&g_heaps[i]);
    }
    for (unsigned slab = SLAB; slab < CHUNKS; slab++) {
        REQUIRE(g_given[slab] == (g_taken[slab] != 0));
        REQUIRE(!chunk_is_small(&g_entries[slab])); // on no list of anybody
    }
}

static void check_end(void)
{
    if (g_given[SLAB] == 0) {
        require_all_in_one_place(SLAB);
        bool sleeps = chunk_state(&g_entries[SLAB]) == CHUNK_FULL;
        REQUIRE(!sleeps || g_remotes[SLAB].count != BLOCKS); // stranded: nobody will come for it
    }
    give_everything_back();
}

// ---- sleepers: the owner publishes FULL and looks at the count, senders the other way round ----

static void owner_goes_to_sleep(void)
{
    take(&g_heaps[0]);
}

static void send_most(void)
{
    send(0, BLOCKS - 1);
}

static void send_last(void)
{
    send(BLOCKS - 1, BLOCKS);
}

static void send_last_but_one(void)
{
    send(BLOCKS - 2, BLOCKS - 1);
}

// ---- the mail of an owner that wakes while the last two come ----

static void set_up_nearly_home(void)
{
    set_up();
    take(&g_heaps[0]); // the slab sleeps from here on
    send(0, BLOCKS - 2);
}

static void owner_flushes(void)
{
    heap_flush(&g_heaps[0]);
}

// ---- orphans: one thread ends, the next adopts its heap, others send blocks home meanwhile ----

static void owner_ends(void)
{
    heap_flush(&g_heaps[0]);
    orphan_park(&g_heaps[0]);
}

static void next_thread_adopts(void)
{
    struct heap *heap = orphan_adopt();
    if (heap == &g_heaps[0]) { // else it was not parked yet
        heap->bins = g_bins[0];
        take(heap);
    }
}

// ---- the pool: slabs of a dissolved heap, taken by another while blocks come home ----

static void set_up_parked(void)
{
    set_up();
    send(0, 1);
    heap_flush(&g_heaps[0]);
    send(1, BLOCKS - 2);
    orphan_park(&g_heaps[0]);
}

/* Here the slab sleeps, and all its blocks but the last wait in the mail. */
static void set_up_parked_asleep(void)
{
    set_up();
    heap_flush(&g_heaps[0]);
    orphan_park(&g_heaps[0]);
    send(0, BLOCKS - 1);
}

static void somebody_dissolves(void)
{
    orphan_dissolve_all();
}

static void other_heap_refills(void)
{
    take(&g_heaps[1]);
}

// ---- transfer: batches between threads, locks that are only tried ----

static void free_foreign(struct heap *heap, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        note_user(block_at(i), false);
        heap_free_foreign(heap, &g_entries[SLAB], block_at(i));
    }
}

static void free_a_batch(void)
{
    free_foreign(&g_heaps[1], 0, FOREIGN_BLOCKS_MAX);
}

static void free_another_batch(void)
{
    free_foreign(&g_heaps[2], FOREIGN_BLOCKS_MAX, BLOCKS);
    take(&g_heaps[2]);
}

static void set_up_one_batch(void)
{
    set_up();
    free_a_batch();
}

static void third_heap_refills(void)
{
    take(&g_heaps[2]);
}

static void drain(void)
{
    heap_drain_transfer(&g_heaps[0]);
}

// ---- struct lock itself ----

static struct lock g_lock;
static unsigned g_inside, g_entered;
static _Atomic(unsigned) g_touched;

static void set_up_lock(void)
{
    set_up();
    lock_init(&g_lock, LOCK_POOL);
}

static void lock_twice(void)
{
    for (int i = 0; i < 2; i++) {
        lock_acquire(&g_lock);
        REQUIRE(g_inside++ == 0);
        explore_step(&g_touched);
        REQUIRE(--g_inside == 0);
        g_entered++;
        lock_release(&g_lock);
    }
}

static void try_lock_twice(void)
{
    for (int i = 0; i < 2; i++) {
        if (lock_try_acquire(&g_lock)) {
            REQUIRE(g_inside++ == 0);
            explore_step(&g_touched);
            REQUIRE(--g_inside == 0);
            lock_release(&g_lock);
        }
    }
}

static void check_lock(void)
{
    REQUIRE(g_lock.word == 0);
    REQUIRE(g_entered == 4);
}

/* protocols [WORDS]: only the scenes whose claim has them. */
int main(int argc, char **argv)
{
    const struct memory memory = {aligned_alloc(CHUNK_BYTES, CHUNKS * CHUNK_BYTES), CHUNKS * BLOCKS,
                                  BLOCK_BYTES};
    const struct scene scenes[] = {
        {"a lock lets one in, and wakes who sleeps",
         set_up_lock,
         {lock_twice, lock_twice, try_lock_twice},
         check_lock},
        {"an owner that goes to sleep strands no slab",
         set_up,
         {owner_goes_to_sleep, send_most, send_last},
         check_end},
        {"of an owner and two last senders one gives the slab away",
         set_up_nearly_home,
         {owner_flushes, send_last_but_one, send_last},
         check_end},
        {"a heap changes its thread while blocks come home",
         set_up_nearly_home,
         {owner_ends, next_thread_adopts, send_last},
         check_end},
        {"a parked heap is adopted by one thread",
         set_up_parked,
         {next_thread_adopts, next_thread_adopts, send_last},
         check_end},
        {"slabs pass through the pool while blocks come home",
         set_up_parked,
         {somebody_dissolves, other_heap_refills, send_last_but_one},
         check_end},
        {"the last two blocks meet a slab on its way through the pool",
         set_up_parked,
         {somebody_dissolves, send_last, send_last_but_one},
         check_end},
        {"a sleeping slab is claimed or dissolved",
         set_up_parked_asleep,
         {somebody_dissolves, send_last, other_heap_refills},
         check_end},
        {"batches reach one thread or their home",
         set_up,
         {free_a_batch, free_another_batch, owner_goes_to_sleep},
         check_end},
        {"of three that want a batch one gets it",
         set_up_one_batch,
         {other_heap_refills, third_heap_refills, drain},
         check_end},
    };
    g_memory = memory.start;
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        if (argc < 2 || strstr(scenes[i].claim, argv[1]) != NULL) {
            explore(&scenes[i], &memory);
        }
    }
    return 0;
}
