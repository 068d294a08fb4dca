/* world.c - the page heap, the machine, and the users of a scene. */
#include "model/world.h"

#include "core/cpu_cache.h"
#include "core/depot.h"
#include "core/depot_look.h"
#include "core/magazine.h"
#include "core/slab.h"
#include "core/slot.h"
#include "pages/page_heap.h"
#include "pages/purge.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SLAB_CHUNKS_MAX = 17, CHUNKS = 1 + SLABS * SLAB_CHUNKS_MAX, LIST_MAX = SLABS * BLOCKS };
enum { LIST_END = 1000, AREA_BYTES = 128, METAS = 3 };

#define USERS_WORD 0x1234567812345678U // what a user writes into a block

unsigned g_class, g_slabs_max;
struct hand g_hands[THREADS_MAX];
struct memory g_memory_words;

static char *g_memory; // [const] the chunks: apart from the data, since only links are state
static struct chunk g_entries[CHUNKS];
static uint8_t g_bins[CHUNKS];
static bool g_is_user[SLABS][BLOCKS]; // in the hands of a user
static unsigned g_taken[SLABS], g_given[SLABS];

/* In place of core/size_class.c: slabs of few blocks have few states. */
#define CLASS_OF(chunks)                                                                           \
    {                                                                                              \
        BLOCK_BYTES, chunks, BLOCKS, ((1ULL << 40) + BLOCK_BYTES - 1) / BLOCK_BYTES                \
    }
const struct size_class g_size_classes[CLASSES] = {
    [0 ... SMALL] = CLASS_OF(1),
    [EDGE] = CLASS_OF(SLAB_CHUNKS_MAX - 1),
    [LARGE... CLASSES - 1] = CLASS_OF(SLAB_CHUNKS_MAX),
};

// ---- the machine ----

static ALIGNED(AREA_BYTES) char g_areas[THREADS_MAX][AREA_BYTES];
static ALIGNED(64) char g_table[(CPUS + 1) * SLOT_BYTES];
static ALIGNED(64) char g_closed_table[(CPUS + 1) * SLOT_BYTES];
static ALIGNED(64) char g_metas[METAS][sizeof(struct slot)];
static unsigned g_metas_used, g_maps_used;
static void (*g_destructor)(void *);
static _Thread_local void *t_value;

const ptrdiff_t machine_rseq_offset = 0;
const unsigned int machine_rseq_size = RSEQ_AREA_BYTES;

void *__wrap_os_map(void *hint, size_t bytes);
bool __wrap_os_purge(char *start, size_t bytes);
bool __wrap_os_restart_sequences(void);
uint64_t __wrap_os_random(void);
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);

void *machine_self(void)
{
    return g_areas[explore_thread()];
}

void world_move(unsigned thread, unsigned cpu)
{
    explore_step(&g_slots); // any moment
    *(int32_t *)(void *)(g_areas[thread] + RSEQ_CPU_ID_OFFSET) = (int32_t)cpu;
}

/* The tables of slots, which are so long that only their beginning is memory. */
void *__wrap_os_map(void *hint, size_t bytes)
{
    (void)hint;
    (void)bytes;
    REQUIRE(g_maps_used < 2);
    return g_maps_used++ == 0 ? g_table : g_closed_table;
}

bool __wrap_os_purge(char *start, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += BLOCK_BYTES) {
        list_set_link(start + at, 0);
    }
    return true;
}

bool __wrap_os_restart_sequences(void)
{
    return true; // no sequence is ever half done here
}

uint64_t __wrap_os_random(void)
{
    return LIST_END - LIST_END_FIRST;
}

int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
    explore_step(&g_destructor);
    REQUIRE(g_destructor == NULL); // made once
    *key = 1;
    g_destructor = destructor;
    return 0;
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
    REQUIRE(key == 1);
    t_value = (void *)(uintptr_t)value;
    return 0;
}

void world_exit_thread(void)
{
    for (int i = 0; i < PTHREAD_DESTRUCTOR_ITERATIONS && t_value != NULL; i++) {
        void *value = t_value;
        t_value = NULL;
        g_destructor(value);
    }
    REQUIRE(t_value == NULL && t_thread.own == NULL);
}

void *meta_alloc(size_t bytes)
{
    REQUIRE(bytes <= sizeof g_metas[0]);
    return g_metas_used < METAS ? g_metas[g_metas_used++] : NULL;
}

// ---- users ----

static unsigned slab_chunks(void)
{
    return g_size_classes[g_class].slab_chunks;
}

/* Where a block lies; the caller's list leads to no other place. */
static unsigned slab_number(const void *block)
{
    size_t chunk = (size_t)((const char *)block - g_memory) >> CHUNK_SHIFT;
    REQUIRE(chunk >= 1 && (chunk - 1) % slab_chunks() == 0);
    REQUIRE((chunk - 1) / slab_chunks() < SLABS);
    return (unsigned)((chunk - 1) / slab_chunks());
}

static unsigned block_number(const void *block)
{
    size_t offset = (size_t)((const char *)block - g_memory) % CHUNK_BYTES;
    REQUIRE(offset % BLOCK_BYTES == 0);
    return (unsigned)(offset / BLOCK_BYTES);
}

static size_t chunk_of(unsigned slab)
{
    return 1 + (size_t)slab * slab_chunks();
}

static void note_user(const void *block, bool is_user)
{
    bool *place = &g_is_user[slab_number(block)][block_number(block)];
    REQUIRE(*place != is_user); // handed out twice
    *place = is_user;
}

struct hand *hand_mine(void)
{
    return &g_hands[explore_thread()];
}

void hand_put(struct hand *hand, void *block)
{
    REQUIRE(hand->count < HELD_MAX);
    note_user(block, true);
    list_set_link(block, USERS_WORD);
    hand->blocks[hand->count++] = block;
}

void *hand_get(struct hand *hand)
{
    if (hand->count == 0) {
        return NULL;
    }
    void *block = hand->blocks[--hand->count];
    hand->blocks[hand->count] = NULL;
    REQUIRE(list_link(block) == USERS_WORD); // nobody else wrote there
    note_user(block, false);
    return block;
}

list_word hand_list(struct hand *hand, unsigned count)
{
    list_word list = list_empty();
    for (unsigned i = 0; i < count; i++) {
        void *block = hand_get(hand);
        list = block != NULL ? list_push(list, block) : list;
    }
    return list;
}

// ---- where blocks are ----

typedef unsigned place_counts[SLABS][BLOCKS];

static void count_list(list_word list, place_counts counts)
{
    for (unsigned i = 0; !list_is_empty(list); i++) {
        const void *block = list_first(list);
        REQUIRE(i < LIST_MAX);
        counts[slab_number(block)][block_number(block)]++;
        REQUIRE(list_is_sound(list)); // LIST-1
        list = list_link(block);
    }
    REQUIRE((uint16_t)list == LIST_END);
}

/* How often each block is in slots or with a user. */
static void count_away(place_counts counts)
{
    for (struct slot *slot = slot_next(NULL); slot != NULL; slot = slot_next(slot)) {
        count_list(slot->loaded[slot_bin(g_class)], counts);
        count_list(slot->spare[slot_bin(g_class)], counts);
    }
    for (unsigned i = 0; i < SLABS * BLOCKS; i++) {
        counts[i / BLOCKS][i % BLOCKS] += g_is_user[i / BLOCKS][i % BLOCKS];
    }
}

static void count_magazines(place_counts counts)
{
    list_word lists[DEPOT_MAGAZINES];
    unsigned count = depot_look(g_class, lists, DEPOT_MAGAZINES);
    for (unsigned i = 0; i < count; i++) {
        REQUIRE(list_count(lists[i]) <= magazine_blocks_max(g_class));
        count_list(lists[i], counts);
    }
}

static void count_home(unsigned slab, place_counts counts)
{
    const struct chunk *entry = &g_entries[chunk_of(slab)];
    if (chunk_state(entry) == CHUNK_SLAB) {
        count_list(entry->free, counts);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        bool is_made = chunk_state(entry) == CHUNK_SLAB && i < slab_reached(entry) &&
                       ((entry->purged >> i) & 1) == 0; // a block a page
        counts[slab][i] += !is_made;
    }
}

void world_require_places(bool is_whole)
{
    place_counts counts = {{0}};
    count_away(counts);
    count_magazines(counts);
    for (unsigned slab = 0; slab < SLABS; slab++) {
        count_home(slab, counts);
        for (unsigned i = 0; i < BLOCKS; i++) {
            REQUIRE(counts[slab][i] <= 1);              // in two places
            REQUIRE(counts[slab][i] == 1 || !is_whole); // lost
        }
    }
}

// ---- the page heap ----

size_t page_heap_allocate(size_t length, size_t alignment, bool *clean)
{
    REQUIRE(alignment == 1);
    return page_heap_allocate_dense(length, clean);
}

size_t page_heap_allocate_dense(size_t length, bool *clean)
{
    explore_step(g_taken);
    REQUIRE(length == slab_chunks());
    for (unsigned slab = 0; slab < g_slabs_max; slab++) {
        if (g_taken[slab] == g_given[slab]) {
            *clean = g_taken[slab]++ == 0;
            return chunk_of(slab);
        }
    }
    return 0;
}

void page_heap_free_late(size_t index, size_t length)
{
    page_heap_free(index, length);
}

void page_heap_free(size_t index, size_t length)
{
    place_counts counts = {{0}};
    unsigned slab = slab_number(g_memory + index * CHUNK_BYTES);
    explore_step(g_taken);
    REQUIRE(length == slab_chunks());
    count_away(counts);
    for (unsigned i = 0; i < BLOCKS; i++) {
        REQUIRE(counts[slab][i] == 0); // a slab given away with blocks in use
    }
    for (unsigned i = 0; i < SLABS; i++) { // nor is it on the list of slabs
        const struct chunk *other = &g_entries[chunk_of(i)];
        bool is_slab = chunk_state(other) == CHUNK_SLAB;
        REQUIRE(!is_slab || (other->prev != index && other->next != index));
    }
    REQUIRE(chunk_state(&g_entries[index]) == CHUNK_BODY && g_bins[index] == 0);
    REQUIRE(++g_given[slab] <= g_taken[slab]); // given away twice
}

bool page_heap_tick(void)
{
    return true;
}

bool page_heap_free_waiting(void)
{
    return false;
}

bool page_heap_watch(void)
{
    return false;
}

bool purge_is_on(void)
{
    return false; // the scenes that want it call depot_purge_slab() themselves
}

// ---- begin and end ----

void world_make_memory(void)
{
    g_memory = aligned_alloc(CHUNK_BYTES, CHUNKS * CHUNK_BYTES);
}

void world_begin(unsigned sc, enum slot_kind kind)
{
    g_class = sc;
    g_slabs_max = SLABS;
    for (unsigned i = 0; i < SLABS * BLOCKS; i++) {
        void *block = g_memory + chunk_of(i / BLOCKS) * CHUNK_BYTES + (i % BLOCKS) * BLOCK_BYTES;
        list_set_link(block, 0);
        g_memory_words.words[g_memory_words.count++] = block;
    }
    g_page_map = (struct page_map){
        .base = (uintptr_t)g_memory, .bins = g_bins, .entries = g_entries, .opened = CHUNKS};
    page_map_publish(CHUNKS);
    REQUIRE(slot_start(kind) && slot_kind() == kind);
    REQUIRE(g_list_end == LIST_END);
}

void world_fill(unsigned thread, unsigned count)
{
    while (g_hands[thread].count < count) {
        list_word list = depot_fetch(g_class).list;
        REQUIRE(list_count(list) == 1);
        hand_put(&g_hands[thread], list_first(list));
    }
}

void world_end(void)
{
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        while (g_hands[i].count != 0) {
            depot_return(g_class, hand_list(&g_hands[i], 1));
        }
    }
    for (struct slot *slot = slot_next(NULL); slot != NULL; slot = slot_next(slot)) {
        depot_drain_slot(slot);
    }
    depot_trim(false);
    depot_check();
    for (unsigned slab = 0; slab < SLABS; slab++) {
        REQUIRE(g_given[slab] == g_taken[slab]);
    }
    REQUIRE(depot_counts(g_class).slabs == 0);
    REQUIRE(depot_counts(g_class).magazine_blocks == 0);
}
