/* live_page.c - a good live page with any bytes changed: what the reader lets through is in bounds.
 *
 * The input is a list of patches: three bytes of place, one of length, the bytes.
 */
#include "cli/procfs/live_page.h"

#include "fuzz/fuzz.h"
#include "page_fill.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void require_in_bounds(const struct myalloc_live *page)
{
    static struct live_event events[MYALLOC_LIVE_EVENTS_MAX];
    REQUIRE(memchr(page->header.exe, 0, sizeof page->header.exe) != NULL);
    REQUIRE(memchr(page->header.library, 0, sizeof page->header.library) != NULL);
    REQUIRE(page->header.class_count <= MYALLOC_LIVE_CLASSES_MAX);
    for (size_t i = 0; i < MYALLOC_LIVE_REGIONS_MAX; i++) {
        const struct myalloc_live_region *region = &page->regions[i];
        REQUIRE(region->kind == MYALLOC_LIVE_REGION_UNUSED ||
                region->base + region->bytes >= region->base);
    }
    REQUIRE(page->chunks.shift < 64);
    REQUIRE(page->chunks.count >> page->chunks.shift <= MYALLOC_LIVE_CHUNKS_MAX);
    size_t count = live_page_events(page, 0, events);
    REQUIRE(count <= MYALLOC_LIVE_EVENTS_MAX);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(i == 0 || events[i].number > events[i - 1].number);
        REQUIRE(live_page_event_name(events[i].kind) != NULL);
    }
    (void)live_page_footprint(page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct myalloc_live good;
    static struct myalloc_live page;
    struct choices from = {data, data + bytes};
    if (good.header.magic == 0) {
        page_fill(&good, 4242, 1);
    }
    memcpy(&page, &good, sizeof page);
    size_t page_bytes = sizeof page;
    while (from.at < from.end) {
        size_t at = choose(&from, 3) % sizeof page;
        size_t length = choose(&from, 1);
        for (size_t i = 0; i < length && at + i < sizeof page; i++) {
            ((uint8_t *)&page)[at + i] = (uint8_t)choose(&from, 1);
        }
        page_bytes = length == 0 ? at : page_bytes;
    }
    int fd = memfd_create("page", MFD_CLOEXEC);
    const char *why = NULL;
    REQUIRE(fd >= 0 && write(fd, &page, page_bytes) == (ssize_t)page_bytes);
    struct myalloc_live *read = live_page_read(fd, &why);
    REQUIRE((read != NULL) == (why == NULL));
    if (read != NULL) {
        require_in_bounds(read);
    }
    free(read);
    close(fd);
    return 0;
}
