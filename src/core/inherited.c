/* inherited.c - marks blocks from before a fork that the child frees.
 *
 * Owns:       the table of marks: address space for every chunk that existed before the fork,
 *             memory only for those that have marks.
 * Threads:    any; inherited_postfork_child by the only one.
 * Locks:      takes none; the caller holds the lock of the class.
 * Invariants: INHERITED-1  a slab is on the list of its class here exactly while it has marks.
 *             INHERITED-2  a marked block is on no list; it counts as carved.
 *
 * The bin of such a slab in the page map is 0, so that the fast path of free misses. If there is no
 * memory for the table, frees write into the blocks and their pages are copied: nothing worse.
 */
#include "core/inherited.h"

#include "base/check.h"
#include "base/os.h"
#include "base/tables.h"
#include "core/slab.h"

#include <string.h>

struct marks {
    uint64_t bits[SMALL_BLOCKS_MAX / 64];
    uint32_t prev, next; // links in the list of the class; 0 ends it
    uint32_t count;      // bits set
};

bool g_inherited_any;

static struct {
    struct marks *marks; // [const] within a process; one per chunk below `chunks`
    size_t chunks;
    size_t mapped_bytes;
    uint32_t first[CLASSES]; // [lock: LOCK_DEPOT] slabs with marks
} g_inherited;

TABLE(inherited, .id = MYALLOC_TABLE_MARKS, .address = &g_inherited, .bytes = sizeof(struct marks),
      .count = 1,
      .fields = {offsetof(__typeof__(g_inherited), marks),
                 offsetof(__typeof__(g_inherited), chunks), offsetof(struct marks, count)});

static bool make_table(size_t chunks)
{
    ASSERT(chunks != 0);
    chunks = max_size(chunks, g_inherited.chunks); // the heap may have shrunk since the last fork
    size_t bytes = align_up(chunks * sizeof(struct marks), os_page_bytes());
    void *table = g_inherited.marks;
    if (bytes > g_inherited.mapped_bytes) {
        table =
            table == NULL ? os_map(NULL, bytes) : os_remap(table, g_inherited.mapped_bytes, bytes);
        if (table == NULL) {
            return false;
        }
        g_inherited.mapped_bytes = bytes;
    }
    g_inherited.marks = table;
    g_inherited.chunks = chunks;
    return true;
}

void inherited_postfork_child(void)
{
    size_t chunks = page_map_count();
    if (chunks == 0 || !make_table(chunks)) {
        return;
    }
    g_inherited_any = true;
    uint8_t *bins = g_page_map.bins;
    for (size_t i = 0; i < chunks; i += sizeof(uint64_t)) { // the table ends at a page
        uint64_t some;
        memcpy(&some, bins + i, sizeof some);
        if (some != 0) { // pages that are all zero stay shared
            memset(bins + i, 0, min_size(sizeof some, chunks - i));
        }
    }
}

static struct marks *marks_of(const struct chunk *slab)
{
    uint32_t index = page_map_index(slab);
    return index < g_inherited.chunks ? &g_inherited.marks[index] : NULL;
}

static void insert(struct chunk *slab, struct marks *marks)
{
    ASSERT(marks->count == 1); // INHERITED-1
    uint32_t *first = &g_inherited.first[slab->sc];
    ASSERT(*first != page_map_index(slab));
    marks->prev = 0;
    marks->next = *first;
    if (*first != 0) {
        g_inherited.marks[*first].prev = page_map_index(slab);
    }
    *first = page_map_index(slab);
}

static void remove(const struct chunk *slab, const struct marks *marks)
{
    ASSERT(marks->count != 0);
    ASSERT(marks->prev != 0 || g_inherited.first[slab->sc] == page_map_index(slab));
    if (marks->next != 0) {
        g_inherited.marks[marks->next].prev = marks->prev;
    }
    if (marks->prev != 0) {
        g_inherited.marks[marks->prev].next = marks->next;
    } else {
        g_inherited.first[slab->sc] = marks->next;
    }
}

bool inherited_mark(struct chunk *slab, unsigned block)
{
    ASSERT(block < slab_capacity(slab));
    struct marks *marks = marks_of(slab);
    VERIFY(marks != NULL);
    uint64_t bit = 1UL << (block % 64);
    if ((marks->bits[block / 64] & bit) != 0) {
        return false;
    }
    RELAXED_STORE(marks->bits[block / 64], marks->bits[block / 64] | bit);
    RELAXED_STORE(marks->count, marks->count + 1);
    if (marks->count == 1) {
        insert(slab, marks); // INHERITED-1
    }
    return true;
}

// A free checks again under the lock; an inspection gets a count that was once true.
unsigned inherited_count(const struct chunk *slab)
{
    const struct marks *marks = LIKELY(!g_inherited_any) ? NULL : marks_of(slab);
    return marks != NULL ? RELAXED_LOAD(marks->count) : 0;
}

// The bit of a block in use changes only when its owner frees it.
bool inherited_is_marked(const struct chunk *slab, unsigned block)
{
    ASSERT(block < SMALL_BLOCKS_MAX);
    return inherited_count(slab) != 0 &&
           ((RELAXED_LOAD(marks_of(slab)->bits[block / 64]) >> (block % 64)) & 1) != 0;
}

struct chunk *inherited_find(unsigned sc)
{
    ASSERT(sc < CLASSES);
    uint32_t first = g_inherited.first[sc];
    return first != 0 ? page_map_entry(first) : NULL;
}

void inherited_forget(struct chunk *slab)
{
    struct marks *marks = LIKELY(!g_inherited_any) ? NULL : marks_of(slab);
    if (marks != NULL && marks->count != 0) {
        remove(slab, marks);
        RELAXED_STORE(marks->count, 0);
        for (size_t i = 0; i < sizeof marks->bits / sizeof marks->bits[0]; i++) {
            RELAXED_STORE(marks->bits[i], 0);
        }
    }
}

void inherited_collect(struct chunk *slab)
{
    const struct marks *marks = marks_of(slab);
    ASSERT(marks != NULL);
    ASSERT(marks->count != 0); // INHERITED-1
    for (unsigned block = 0; block < slab_reached(slab); block++) {
        if (((marks->bits[block / 64] >> (block % 64)) & 1) != 0) {
            VERIFY(slab_put(slab, slab_block(slab, block))); // INHERITED-2
        }
    }
    inherited_forget(slab);
    page_map_set_bin(page_map_index(slab), slab->length, (uint8_t)(slab->sc + 1));
}
