/* page_fill.c - the reference writer of the live page: the order of stores is that of the contract.
 *
 * Owns:       nothing; fills a page of its caller.
 * Threads:    page_add_event any, as in the library; page_fill one.
 * Invariants: FILL-1  the numbers fit each other: the counters are what the tables add up to.
 */
#include "page_fill.h"

#include <string.h>
#include <time.h>

#define CHUNK_BYTES 16384u
#define CHUNKS      96u
#define HEAP_BASE   0x600000u // [heap] of process 4242 in the tree

static void put(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

uint64_t page_now_ns(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void page_add_event(struct myalloc_live *page, uint32_t kind, uint64_t time_ns, uint64_t bytes)
{
    const uint64_t n = atomic_fetch_add_explicit(&page->event_count, 1, memory_order_relaxed) + 1;
    struct myalloc_live_event *const event = &page->events[(n - 1) % MYALLOC_LIVE_EVENTS_MAX];
    put(&event->begun, n);
    atomic_thread_fence(memory_order_release); // the fields are stored after `begun`
    put(&event->time_ns, time_ns);
    put(&event->address, HEAP_BASE);
    put(&event->bytes, bytes);
    atomic_store_explicit(&event->kind, kind, memory_order_relaxed);
    atomic_store_explicit(&event->thread_id, page->header.pid, memory_order_relaxed);
    atomic_store_explicit(&event->done, n,
                          memory_order_release); // pairs with the reader's front-to-back copy
}

static void fill_counters(struct myalloc_live_counters *c)
{
    put(&c->live_bytes, 700 * 1024);
    put(&c->live_peak_bytes, 1400 * 1024);
    put(&c->live_blocks, 5030);
    put(&c->brk_bytes, CHUNKS * CHUNK_BYTES);
    put(&c->brk_peak_bytes, 128 * CHUNK_BYTES);
    put(&c->mmap_bytes, 4u << 20);
    put(&c->mmap_peak_bytes, 8u << 20);
    put(&c->footprint_peak_bytes, 10u << 20);
    put(&c->touched_bytes, 2u << 20);
    put(&c->dirty_free_bytes, 8 * CHUNK_BYTES);
    put(&c->huge_blocks, 1);
    put(&c->huge_bytes, 4u << 20);
    put(&c->large_blocks, 2);
    put(&c->large_bytes, 12 * CHUNK_BYTES);
    put(&c->brk_grows, 41);
    put(&c->brk_shrinks, 17);
    put(&c->mmaps, 122);
    put(&c->munmaps, 119);
    put(&c->purges, 6);
    put(&c->purged_bytes, 3u << 20);
    put(&c->trimmed_bytes, 1u << 20);
    put(&c->mallocs, 81000);
    put(&c->frees, 75970);
    put(&c->reallocs, 71);
    put(&c->reallocs_in_place, 45);
}

static void fill_classes(struct myalloc_live *page)
{
    static const struct {
        uint32_t block_bytes;
        uint64_t slabs, live, mallocs;
    } rows[] = {{16, 1, 300, 9000},  {32, 6, 2400, 40000}, {64, 8, 1500, 20000},
                {112, 5, 600, 9000}, {1024, 3, 30, 1500},  {4096, 8, 180, 1400},
                {32768, 1, 20, 100}, {40960, 0, 0, 0}};
    page->header.class_count = sizeof(rows) / sizeof(rows[0]);
    for (uint32_t i = 0; i < page->header.class_count; i++) {
        page->classes[i].block_bytes = rows[i].block_bytes;
        page->classes[i].tier =
            rows[i].block_bytes <= 1024 ? MYALLOC_LIVE_SMALL : MYALLOC_LIVE_MEDIUM;
        put(&page->classes[i].slabs, rows[i].slabs);
        put(&page->classes[i].live_blocks, rows[i].live);
        put(&page->classes[i].mallocs, rows[i].mallocs);
    }
}

/* What else the library says of the mappings in tree/proc/4242/maps. */
static const struct {
    uint64_t base, bytes;
    uint32_t kind;
} g_regions[] = {
    {0x7f0000200000, 4u << 20, MYALLOC_LIVE_REGION_HUGE},
    {0x7f0000000000, 1u << 20, MYALLOC_LIVE_REGION_TABLE},
    {0x7f0000700000, 4096, MYALLOC_LIVE_REGION_MMAP},
    {0x7f0000701000, 1u << 20, MYALLOC_LIVE_REGION_CACHED},
    {0x7f0000c00000, 64u << 10, MYALLOC_LIVE_REGION_BACKED},
};

/* Two slots with an unused one between, the regions, and a heap whose last slab pins free chunks
 * below it. */
static void fill_tables(struct myalloc_live *page)
{
    put(&page->slots[0].cached_blocks, 400);
    put(&page->slots[0].cached_bytes, 24 * 1024);
    put(&page->slots[0].mallocs, 70000);
    atomic_store(&page->slots[0].is_used, 1);
    put(&page->slots[2].cached_blocks, 30);
    put(&page->slots[2].cached_bytes, 2 * 1024);
    put(&page->slots[2].mallocs, 11000);
    atomic_store(&page->slots[2].number, 2);
    atomic_store(&page->slots[2].is_used, 1);
    put(&page->regions[0].base, HEAP_BASE);
    put(&page->regions[0].bytes, CHUNKS * CHUNK_BYTES);
    put(&page->regions[0].kind, MYALLOC_LIVE_REGION_BRK);
    for (size_t i = 0; i < sizeof g_regions / sizeof g_regions[0]; i++) {
        put(&page->regions[i + 1].base, g_regions[i].base);
        put(&page->regions[i + 1].bytes, g_regions[i].bytes);
        put(&page->regions[i + 1].kind, g_regions[i].kind);
    }
    static const char states[] =
        "ssssmmmmmmmmLLLLLLLLLLssss::::..........ssmmmmmmmm::::..............LL"
        "ssss....................s.";
    for (uint32_t i = 0; i < CHUNKS; i++) {
        const char state = states[i];
        const uint8_t low = state == 's'   ? MYALLOC_LIVE_CHUNK_SMALL
                            : state == 'm' ? MYALLOC_LIVE_CHUNK_MEDIUM
                            : state == 'L' ? MYALLOC_LIVE_CHUNK_LARGE
                            : state == ':' ? MYALLOC_LIVE_CHUNK_DIRTY
                                           : MYALLOC_LIVE_CHUNK_CLEAN;
        const uint8_t fill =
            low == MYALLOC_LIVE_CHUNK_SMALL ? (uint8_t)(i == 94 ? 1 : 15 - i % 8) : 0;
        atomic_store_explicit(&page->chunks.cells[i], (uint8_t)(low | fill << 4),
                              memory_order_relaxed);
    }
    put(&page->chunks.base, HEAP_BASE);
    put(&page->chunks.count, CHUNKS);
}

void page_fill(struct myalloc_live *page, uint32_t pid, uint64_t started_ns)
{
    struct myalloc_live_header *const header = &page->header;
    header->version = MYALLOC_LIVE_VERSION;
    header->header_bytes = sizeof(*header);
    header->page_bytes = sizeof(*page);
    header->pid = pid;
    header->chunk_bytes = CHUNK_BYTES;
    header->started_ns = started_ns;
    strcpy(header->exe, "subject");
    strcpy(header->library, "test");
    put(&header->state, MYALLOC_LIVE_RUNNING);
    fill_counters(&page->counters);
    fill_classes(page);
    fill_tables(page);
    page_add_event(page, MYALLOC_LIVE_EVENT_BRK_GROW, started_ns, 64 * CHUNK_BYTES);
    page_add_event(page, MYALLOC_LIVE_EVENT_MMAP, started_ns + 1000000, 4u << 20);
    page_add_event(page, MYALLOC_LIVE_EVENT_BRK_GROW, started_ns + 2000000, 64 * CHUNK_BYTES);
    page_add_event(page, MYALLOC_LIVE_EVENT_PURGE, started_ns + 3000000, 3u << 20);
    page_add_event(page, MYALLOC_LIVE_EVENT_TRIM, started_ns + 4000000, 32 * CHUNK_BYTES);
    atomic_store_explicit(&header->magic, MYALLOC_LIVE_MAGIC, memory_order_release);
}
