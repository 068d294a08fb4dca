/* trim.c - what malloc_trim would give back of slabs and free spans of another process.
 *
 * Owns:       what it was told, and a page of the process that was read last.
 * Threads:    one; the process goes on meanwhile, so that a list may change below our feet.
 * Invariants: TRIM-1  a list is another program's data: it is followed no further than its count
 *                     and LINKS_MAX, and blocks outside of the slabs count for nothing.
 *             TRIM-2  a page goes back when nothing but free blocks lies on it, or when its slab
 *                     holds no block in use; one inside of a block, when the page where that block
 *                     begins goes. As slab_purge_pages of the library has it.
 */
#include "cli/procfs/trim.h"

#include "cli/procfs/memory.h"
#include "cli/procfs/procfs.h"
#include "cli/tool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE      4096u
#define LINKS_MAX (4ull << 20) // a few seconds
#define PAGES_MAX (8ull << 20) // 32 GiB

struct slab {
    struct trim_slab facts;
    uint64_t free_blocks; // that were found on lists
    size_t first_page;    // in free_bytes
};

struct trim {
    int fd;               // [const]
    uint16_t list_end;    // [const]
    struct slab *slabs;   // [owner] ascending
    size_t slab_count;    // [owner]
    uint64_t *lists;      // [owner] in caches
    size_t list_count;    // [owner]
    uint16_t *free_bytes; // [owner] of each page of each slab, in free blocks
    size_t page_count;    // [owner]
    uint64_t links;       // [owner] followed so far
    uint64_t read_page;   // [owner] the page in `memory`; 0: none
    unsigned char memory[PAGE];
};

struct trim *trim_open(int fd, uint16_t list_end)
{
    struct trim *const trim = tool_allocate(sizeof(*trim));
    *trim = (struct trim){.fd = fd, .list_end = list_end};
    return trim;
}

static void *grow(void *array, size_t count, size_t bytes)
{
    const bool is_full = (count & (count - 1)) == 0; // at every power of two
    return is_full ? tool_resize(array, (count == 0 ? 1 : 2 * count) * bytes) : array;
}

void trim_add_list(struct trim *trim, uint64_t list)
{
    if (list >> 16 != 0) {
        trim->lists = grow(trim->lists, trim->list_count, sizeof(*trim->lists));
        trim->lists[trim->list_count++] = list;
    }
}

void trim_add_slab(struct trim *trim, const struct trim_slab *slab)
{
    if (slab->block_bytes == 0 || slab->bytes == 0 || slab->bytes > PAGES_MAX * PAGE) {
        return;
    }
    trim->slabs = grow(trim->slabs, trim->slab_count, sizeof(*trim->slabs));
    trim->slabs[trim->slab_count++] = (struct slab){*slab, 0, trim->page_count};
    trim->page_count += slab->bytes / PAGE;
}

void trim_add_free(struct trim *trim, uint64_t start, uint64_t bytes)
{
    const struct trim_slab empty = {.start = start, .bytes = bytes, .block_bytes = bytes};
    trim_add_slab(trim, &empty);
}

/* Adds the part of each page that lies in [from, to) of the slab. */
static void add_free(struct trim *trim, const struct slab *slab, uint64_t from, uint64_t to)
{
    to = to < slab->facts.bytes ? to : slab->facts.bytes;
    for (uint64_t page = from / PAGE; page * PAGE < to; page++) {
        const uint64_t begin = page * PAGE > from ? page * PAGE : from;
        const uint64_t end = (page + 1) * PAGE < to ? (page + 1) * PAGE : to;
        trim->free_bytes[slab->first_page + page] += (uint16_t)(end - begin);
    }
}

static struct slab *slab_of(const struct trim *trim, uint64_t address)
{
    size_t low = 0;
    size_t high = trim->slab_count;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        trim->slabs[middle].facts.start <= address ? (void)(low = middle) : (void)(high = middle);
    }
    struct slab *const slab = high != 0 ? &trim->slabs[low] : NULL;
    const bool is_inside = slab != NULL && address >= slab->facts.start &&
                           address - slab->facts.start < slab->facts.bytes;
    return is_inside ? slab : NULL;
}

/* The word at an address; 0: it cannot be read, or lies across two pages, as no link does. */
static uint64_t link_at(struct trim *trim, uint64_t address)
{
    uint64_t word = 0;
    const uint64_t page = address / PAGE * PAGE;
    if (page != trim->read_page) {
        trim->read_page = memory_read(trim->fd, page, trim->memory, PAGE) ? page : 0;
    }
    if (trim->read_page != 0 && address - page <= PAGE - sizeof(word)) {
        memcpy(&word, trim->memory + (address - page), sizeof(word));
    }
    return word;
}

/* TRIM-1 */
static void follow(struct trim *trim, uint64_t list)
{
    unsigned left = (uint16_t)((uint16_t)list - trim->list_end);
    while (list >> 16 != 0 && left-- != 0 && trim->links++ < LINKS_MAX) {
        const uint64_t address = list >> 16;
        struct slab *const slab = slab_of(trim, address);
        if (slab == NULL) {
            return;
        }
        const uint64_t block = (address - slab->facts.start) / slab->facts.block_bytes;
        const uint64_t from = block * slab->facts.block_bytes;
        slab->free_blocks++;
        add_free(trim, slab, from, from + slab->facts.block_bytes);
        list = link_at(trim, address);
    }
}

/* Blocks that begin on a purged page are none, also where they reach into the next pages. Returns
 * how many they are. */
static uint64_t add_purged(struct trim *trim, const struct slab *slab)
{
    const uint64_t bytes = slab->facts.block_bytes;
    uint64_t count = 0;
    for (uint64_t page = 0; page < 32 && page * PAGE < slab->facts.bytes; page++) {
        if ((slab->facts.purged >> page & 1) == 0) {
            continue;
        }
        const uint64_t from = (page * PAGE + bytes - 1) / bytes;
        uint64_t to = ((page + 1) * PAGE + bytes - 1) / bytes;
        to = to < slab->facts.reached ? to : slab->facts.reached;
        if (from < to) {
            count += to - from;
            add_free(trim, slab, from * bytes, to * bytes);
        }
    }
    return count;
}

/* TRIM-2. `resident`: of the page at `base` and those behind it. */
static uint64_t sum_slab(struct trim *trim, const struct slab *slab, const uint8_t *resident,
                         uint64_t base)
{
    const uint64_t purged = add_purged(trim, slab);
    const bool is_empty = slab->free_blocks + purged >= slab->facts.reached;
    const uint64_t made = slab->facts.reached * slab->facts.block_bytes;
    const size_t first = (size_t)((slab->facts.start - base) / PAGE);
    uint64_t bytes = 0;
    bool goes = false;
    for (uint64_t page = 0; page < slab->facts.bytes / PAGE; page++) {
        const uint64_t left = made > page * PAGE ? made - page * PAGE : 0;
        const bool is_free =
            left != 0 && trim->free_bytes[slab->first_page + page] >= (left < PAGE ? left : PAGE);
        const uint64_t size = slab->facts.block_bytes;
        const uint64_t next = (page * PAGE + size - 1) / size * size; // the first that begins here
        goes = is_free && (next < (page + 1) * PAGE || goes);
        bytes += (is_empty || goes) && resident[first + page] != 0 ? PAGE : 0;
    }
    return bytes;
}

static bool sum_up(struct trim *trim, pid_t pid, uint64_t *bytes)
{
    const struct slab *const last = &trim->slabs[trim->slab_count - 1];
    const uint64_t base = trim->slabs[0].facts.start;
    const uint64_t end = last->facts.start + last->facts.bytes;
    if (end < base || (end - base) / PAGE > PAGES_MAX || trim->page_count > PAGES_MAX) {
        return false;
    }
    trim->free_bytes = tool_allocate(trim->page_count * sizeof(*trim->free_bytes));
    memset(trim->free_bytes, 0, trim->page_count * sizeof(*trim->free_bytes));
    for (size_t i = 0; i < trim->slab_count; i++) {
        follow(trim, trim->slabs[i].facts.free);
    }
    for (size_t i = 0; i < trim->list_count; i++) {
        follow(trim, trim->lists[i]);
    }
    uint8_t *const resident = procfs_resident_pages(pid, base, end);
    for (size_t i = 0; i < trim->slab_count && resident != NULL; i++) {
        *bytes += sum_slab(trim, &trim->slabs[i], resident, base);
    }
    const bool is_whole = resident != NULL && trim->links < LINKS_MAX;
    free(resident);
    return is_whole;
}

bool trim_close(struct trim *trim, pid_t pid, uint64_t *bytes)
{
    *bytes = 0;
    // Libraries of other page sizes purge by other pages.
    const bool is_summed =
        sysconf(_SC_PAGESIZE) == PAGE && (trim->slab_count == 0 || sum_up(trim, pid, bytes));
    free(trim->slabs);
    free(trim->lists);
    free(trim->free_bytes);
    free(trim);
    return is_summed;
}
