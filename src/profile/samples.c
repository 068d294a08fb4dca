/* samples.c - a hash table of sampled addresses.
 *
 * Owns:       the table and the filter before it.
 * Threads:    the holder of LOCK_PROFILE; any thread may read the filter: a thread that frees a
 *             block received it from the thread that sampled it, so it sees its count there.
 * Locks:      takes none.
 * Invariants: SAMPLES-1  no place between that of a sample's hash and its own is empty.
 *             SAMPLES-2  at most half of the places are in use.
 */
#include "profile/samples.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/os.h"

#include <string.h>

#define PLACES_FIRST 1024UL // a power of two

struct samples_filter g_samples_filter;

static struct {
    struct sample *table; // NULL: not allocated yet
    size_t places;        // a power of two
    size_t count;
} g_samples;

static size_t place_of(const void *ptr)
{
    ASSERT(is_pow2(g_samples.places));
    return (size_t)(((uintptr_t)ptr >> 4) * 0x9e3779b97f4a7c15UL >> 24) & (g_samples.places - 1);
}

static void filter_add(const void *ptr, int more)
{
    _Atomic(uint8_t) *count = &g_samples_filter.counts[samples_hash(ptr)];
    int value = atomic_load_explicit(count, memory_order_relaxed);
    ASSERT(more > 0 || value != 0);
    if (value != UINT8_MAX) {
        atomic_store_explicit(count, (uint8_t)(value + more), memory_order_relaxed);
    }
}

static size_t table_bytes(size_t places)
{
    return align_up(places * sizeof(struct sample), os_page_bytes());
}

static void insert(const struct sample *sample)
{
    ASSERT(sample->ptr != NULL);
    size_t place = place_of(sample->ptr);
    while (g_samples.table[place].ptr != NULL) {
        place = (place + 1) & (g_samples.places - 1);
    }
    g_samples.table[place] = *sample; // SAMPLES-1
}

static bool grow(void)
{
    ASSERT(2 * (g_samples.count + 1) > g_samples.places); // SAMPLES-2
    struct sample *old = g_samples.table;
    size_t old_places = g_samples.places;
    size_t places = old != NULL ? 2 * old_places : PLACES_FIRST;
    struct sample *table = os_map(NULL, table_bytes(places));
    if (table == NULL) {
        return false;
    }
    g_samples.table = table;
    g_samples.places = places;
    if (old != NULL) {
        for (size_t i = 0; i < old_places; i++) {
            if (old[i].ptr != NULL) {
                insert(&old[i]);
            }
        }
        os_unmap(old, table_bytes(old_places));
    }
    return true;
}

bool samples_put(const struct sample *sample)
{
    ASSERT(samples_find(sample->ptr) == NULL);
    bool is_full = 2 * (g_samples.count + 1) > g_samples.places; // SAMPLES-2
    if (g_samples.count == SAMPLES_MAX || (is_full && !grow())) {
        return false;
    }
    insert(sample);
    g_samples.count++;
    ASSERT(2 * g_samples.count <= g_samples.places); // SAMPLES-2
    filter_add(sample->ptr, 1);
    return true;
}

struct sample *samples_find(const void *ptr)
{
    ASSERT(ptr != NULL);
    if (g_samples.count == 0) {
        return NULL;
    }
    size_t place = place_of(ptr);
    while (g_samples.table[place].ptr != NULL && g_samples.table[place].ptr != ptr) {
        place = (place + 1) & (g_samples.places - 1);
    }
    return g_samples.table[place].ptr != NULL ? &g_samples.table[place] : NULL;
}

void samples_drop(struct sample *sample)
{
    size_t mask = g_samples.places - 1;
    size_t hole = (size_t)(sample - g_samples.table);
    ASSERT(hole < g_samples.places);
    ASSERT(sample->ptr != NULL);
    filter_add(sample->ptr, -1);
    ASSERT(g_samples.count > 0);
    g_samples.count--;
    for (size_t place = (hole + 1) & mask; g_samples.table[place].ptr != NULL;
         place = (place + 1) & mask) {
        size_t wanted = place_of(g_samples.table[place].ptr);
        if (((place - wanted) & mask) >= ((place - hole) & mask)) { // SAMPLES-1
            g_samples.table[hole] = g_samples.table[place];
            hole = place;
        }
    }
    g_samples.table[hole].ptr = NULL;
}

void samples_forget(void)
{
    ASSERT(g_samples.count <= SAMPLES_MAX);
    if (g_samples.table != NULL) {
        memset(g_samples.table, 0, table_bytes(g_samples.places));
    }
    g_samples.count = 0;
    for (size_t i = 0; i < SAMPLES_FILTER; i++) {
        atomic_store_explicit(&g_samples_filter.counts[i], 0, memory_order_relaxed);
    }
}

size_t samples_count(void)
{
    return g_samples.count;
}
