/* guarded.c - hardened mode: large and huge blocks between guard pages.
 *
 * Owns:       the map entries of GUARDED spans.
 * Threads:    any; concurrent calls for one block are the user's error.
 * Locks:      takes none itself.
 * Invariants: GUARDED-1  the last byte of a block in a span is followed by its canary, or by a
 *                        hidden page.
 *
 * A large block is a span: hidden pages, the block's pages, hidden pages to the end. A canary fills
 * the rest of the block's last page. A huge block is a mapping of its own, a page longer on each
 * side; its exact size is not stored, so it has no canary.
 */
#include "hardened/guarded.h"

#include "pages/page_heap.h"
#include "pages/backing.h"
#include "pages/limit.h"
#include "pages/span.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/fatal.h"
#include "base/os.h"
#include "core/thread.h"
#include "hardened/canary.h"
#include "hardened/quarantine.h"
#include "pages/protect.h"
#include "base/live.h"

#define FRONT_MAX    65536UL       // with a larger alignment a block has no hidden page before it
#define OPEN_MAX     (128UL << 10) // longest block that stays readable in quarantine
#define SEEN_MAX     256           // most bytes of a canary, besides the last eight
#define GROWTH_SHARE 8             // a block that grew is readable for an eighth more

// Bytes readable from the start of the block: what it needs, or more once it grew.
static size_t shown_bytes(const struct chunk *head)
{
    return head->shown_pages * os_page_bytes();
}

// ---- large ----

// Chunks of a span for `bytes`: up to an eighth more, so that blocks of similar size can reuse it.
static size_t length_for(size_t bytes)
{
    ASSERT(bytes != 0);
    size_t length = (bytes + CHUNK_BYTES - 1) >> CHUNK_SHIFT;
    return align_up(length, length < 8 ? 1 : (size_t)1 << (log2_floor(length) - 3));
}

static size_t span_bytes(const struct chunk *head)
{
    return (size_t)head->length << CHUNK_SHIFT;
}

static char *span_start_of(const struct chunk *head)
{
    return page_map_address(page_map_index(head));
}

// Whole pages, with room for a canary unless the block ends at a page boundary.
static size_t pages_for(size_t bytes)
{
    ASSERT(bytes != 0);
    size_t page = os_page_bytes();
    return bytes % page == 0 ? bytes : align_up(bytes + CANARY_BYTES, page);
}

static void write_canary(const struct chunk *head)
{
    char *block = guarded_block(head);
    size_t slack = shown_bytes(head) - head->usable_bytes;
    ASSERT(head->usable_bytes <= shown_bytes(head));
    ASSERT(slack == 0 || slack >= CANARY_BYTES); // GUARDED-1
    if (slack != 0) {
        canary_write(canary_word(block), block + head->usable_bytes, slack, SEEN_MAX);
    }
}

static void check_canary(const struct chunk *head, const void *caller)
{
    const char *block = guarded_block(head);
    size_t bytes = head->usable_bytes;
    size_t slack = shown_bytes(head) - bytes;
    ASSERT(bytes <= shown_bytes(head));
    if (slack != 0 && !canary_is_whole(canary_word(block), block + bytes, slack, SEEN_MAX)) {
        fatal_overflow(block, bytes, caller);
    }
}

// `shown`: the readable bytes of the block.
static void mark_span(struct chunk *head, size_t length, char *block, size_t bytes, size_t shown)
{
    ASSERT(shown % os_page_bytes() == 0);
    ASSERT(block + shown <= (char *)page_map_address(page_map_index(head) + length));
    RELAXED_STORE(head->length, (uint32_t)length);
    RELAXED_STORE(head->usable_bytes, bytes);
    head->shown_pages = (uint32_t)(shown / os_page_bytes());
    // release: pairs with the fence in hslab_see
    __atomic_store_n(&head->record, block, __ATOMIC_RELEASE);
    page_map_mark_body(head, length);
    chunk_set_state(head, CHUNK_GUARDED);
    write_canary(head);
}

// Makes `pages` of a quarantined block readable, or a quarter more. False: the kernel refuses.
static bool open_quarantined(struct quarantined *freed, char *block, size_t pages,
                             const void *caller)
{
    ASSERT(!freed->is_huge);
    ASSERT((size_t)(block - freed->start) + pages + os_page_bytes() <= freed->bytes);
    size_t shown = freed->shown;
    enum protect_guard guard = page_map_entry(page_map_find(freed->start))->guard;
    quarantine_check(freed, caller);
    if (shown < pages) {
        if (!protect_guard_less(block + shown, pages - shown, guard)) {
            return false;
        }
        if (!freed->is_purged) {
            protect_clear(block + shown, pages - shown);
        }
    } else if (shown > pages + pages / 4 &&
               protect_guard_more(block + pages, shown - pages, guard)) {
        shown = pages;
    }
    freed->shown = max_size(shown, pages);
    return true;
}

// Reuses a span from quarantine: only the block's pages become readable.
static char *reuse_span(size_t bytes, size_t length, const void *caller)
{
    struct quarantined freed = quarantine_take(length << CHUNK_SHIFT, false);
    if (freed.start == NULL) {
        return NULL;
    }
    char *block = freed.start + os_page_bytes();
    if (!open_quarantined(&freed, block, pages_for(bytes), caller)) {
        quarantine_release(freed, caller);
        return NULL;
    }
    struct chunk *head = page_map_entry(page_map_find(freed.start));
    ASSERT(chunk_state(head) == CHUNK_BODY); // a body without a head
    mark_span(head, freed.bytes >> CHUNK_SHIFT, block, bytes, freed.shown);
    return block;
}

static char *take_span(size_t bytes, size_t room, size_t alignment, const void *caller)
{
    ASSERT(room >= bytes);
    ASSERT(is_pow2(alignment));
    size_t page = os_page_bytes();
    size_t front = alignment > FRONT_MAX ? 0 : max_size(alignment, page);
    size_t pages = pages_for(bytes);
    size_t length = length_for(front + pages_for(room) + page);
    char *block = alignment <= page ? reuse_span(bytes, length, caller) : NULL;
    if (block != NULL) {
        return block;
    }
    bool clean;
    size_t index = page_heap_allocate(length, max_size(alignment >> CHUNK_SHIFT, 1), &clean);
    if (index == 0) {
        return NULL;
    }
    char *start = page_map_address(index);
    block = start + front;
    if (!clean) {
        protect_clear(block, pages);
    }
    struct chunk *head = page_map_entry(index);
    head->guard = (uint8_t)(protect_reserve(QUARANTINE_ROWS) ? protect_kind() : PROTECT_NONE);
    if (head->guard != PROTECT_NONE) { // if refused, the pages merely stay readable
        protect_guard_more(start, front, head->guard);
        protect_guard_more(block + pages, (length << CHUNK_SHIFT) - front - pages, head->guard);
    }
    ASSERT((uintptr_t)block % alignment == 0);
    mark_span(head, length, block, bytes, pages);
    live_count();
    return block;
}

// Bytes that stay readable when a short block is freed: hiding them costs more than clearing them.
static size_t leave_open(const struct chunk *head)
{
    ASSERT(head->guard != PROTECT_NONE);
    size_t shown = shown_bytes(head);
    char *block = guarded_block(head);
    if (quarantine_purges() || shown > OPEN_MAX || block != span_start_of(head) + os_page_bytes()) {
        return 0;
    }
    memset(block, 0, shown);
    return shown;
}

static void give_span(struct chunk *head, const void *caller)
{
    check_canary(head, caller);
    ASSERT(span_bytes(head) > shown_bytes(head));
    // A body without a head, so that a second free is detected.
    RELAXED_STORE(head->head_distance, 0);
    chunk_set_state(head, CHUNK_BODY);
    size_t shown = head->guard != PROTECT_NONE ? leave_open(head) : 0;
    struct quarantined freed = {span_start_of(head), span_bytes(head), shown, false, false};
    if (head->guard == PROTECT_NONE || !quarantine_put(freed, caller)) {
        quarantine_release(freed, caller);
    }
}

// Extends a span by the chunks after it to hold `bytes`; false: they are not free.
static bool extend_span(struct chunk *head, size_t bytes)
{
    size_t index = page_map_index(head);
    size_t old = head->length;
    size_t length = length_for(bytes);
    ASSERT(length > old);
    bool clean;
    if (!span_extend(index, old, length - old, &clean)) {
        return false;
    }
    RELAXED_STORE(head->length, (uint32_t)length);
    page_map_mark_body(head, length);
    if (head->guard != PROTECT_NONE) {
        protect_guard_more(page_map_address(index + old), (length - old) << CHUNK_SHIFT,
                           head->guard);
    }
    return true;
}

// Makes more of a span readable, with some room for the next growth. False: the kernel refuses.
static bool show_more(struct chunk *head, size_t pages, size_t room)
{
    size_t shown = shown_bytes(head);
    ASSERT(pages > shown);
    ASSERT(pages <= room);
    size_t wanted = min_size(room, align_up(pages + pages / GROWTH_SHARE, os_page_bytes()));
    if (!protect_guard_less(guarded_block(head) + shown, wanted - shown, head->guard)) {
        return false;
    }
    memset(guarded_block(head) + shown, 0, wanted - shown);
    head->shown_pages = (uint32_t)(wanted / os_page_bytes());
    return true;
}

static void show_less(struct chunk *head, size_t pages)
{
    size_t shown = shown_bytes(head);
    ASSERT(pages < shown);
    if (head->guard != PROTECT_NONE &&
        protect_guard_more(guarded_block(head) + pages, shown - pages, head->guard)) {
        head->shown_pages = (uint32_t)(pages / os_page_bytes());
    }
}

static void *resize_span(struct chunk *head, size_t bytes, const void *caller)
{
    char *block = guarded_block(head);
    size_t pages = pages_for(bytes);
    size_t around = (size_t)(block - span_start_of(head)) + os_page_bytes();
    check_canary(head, caller);
    if (pages < (span_bytes(head) - around) / 2 ||
        (pages + around > span_bytes(head) && !extend_span(head, around + pages))) {
        return NULL;
    }
    ASSERT(pages + around <= span_bytes(head));
    size_t kept = min_size(bytes, head->usable_bytes);
    size_t shown = shown_bytes(head);
    if (pages > shown && !show_more(head, pages, span_bytes(head) - around)) {
        return NULL;
    }
    if (shown != head->usable_bytes) { // clear the old canary
        memset(block + kept, 0, min_size(kept + SEEN_MAX, shown) - kept);
        memset(block + shown - CANARY_BYTES, 0, CANARY_BYTES);
    }
    if (pages < shown && bytes < head->usable_bytes) {
        show_less(head, pages);
    }
    RELAXED_STORE(head->usable_bytes, bytes);
    write_canary(head);
    return block;
}

// ---- huge ----

// Hides the guard pages around `bytes` in a mapping that has room for them.
static void hide_around(char *start, size_t bytes)
{
    size_t page = os_page_bytes();
    ASSERT(bytes != 0);
    ASSERT(bytes % page == 0);
    protect_hide(start, page);
    protect_hide(start + page + bytes, page);
}

// A block in a file has none: purged pages of a file come back, and hidden pages save nothing.
static bool has_guards(void)
{
    return !backing_is_on();
}

// Bytes between the guard pages of a mapping; 0: only a page is left of it, which the kernel
// refuses to show (see release_huge in quarantine.c).
static size_t inner_bytes(size_t mapped_bytes)
{
    size_t guards = 2 * os_page_bytes();
    return mapped_bytes > guards ? mapped_bytes - guards : 0;
}

static char *take_huge(size_t bytes, size_t alignment, const void *caller)
{
    size_t page = os_page_bytes();
    ASSERT(!has_guards() || alignment <= page);
    size_t pages = pages_for(bytes);
    if (!has_guards()) {
        bool clean = false;
        char *block = huge_allocate(bytes, alignment, &clean);
        if (block != NULL && !clean) {
            memset(block, 0, bytes);
        }
        return block;
    }
    struct quarantined freed = quarantine_take(pages + 2 * page, true);
    if (freed.start != NULL && protect_show(freed.start + page, freed.bytes - 2 * page)) {
        if (!freed.is_purged) {
            protect_clear(freed.start + page, freed.bytes - 2 * page);
        }
        return freed.start + page;
    }
    if (freed.start != NULL) {
        quarantine_release(freed, caller);
    }
    bool clean = false;
    char *start = huge_allocate(pages + 2 * page, page, &clean);
    if (start == NULL) {
        return NULL;
    }
    size_t mapped = huge_usable_bytes(start); // a cached mapping may be longer than requested
    ASSERT(mapped >= pages + 2 * page);
    if (!clean) {
        protect_clear(start, mapped);
    }
    hide_around(start, mapped - 2 * page);
    return start + page;
}

size_t guarded_huge_bytes(const void *ptr, bool *is_freed)
{
    if (!has_guards()) {
        return huge_usable_bytes(ptr);
    }
    const char *start = (const char *)ptr - os_page_bytes();
    size_t bytes = huge_usable_bytes(start);
    *is_freed = bytes != 0 && quarantine_has(start);
    return inner_bytes(bytes);
}

static bool give_huge(char *ptr, const void *caller)
{
    size_t page = os_page_bytes();
    if (!has_guards()) {
        return huge_free(ptr);
    }
    size_t bytes = huge_usable_bytes(ptr - page);
    if (inner_bytes(bytes) == 0 || quarantine_has(ptr - page)) {
        return false;
    }
    struct quarantined freed = {ptr - page, bytes, 0, false, true};
    if (!quarantine_put(freed, caller)) {
        quarantine_release(freed, caller);
    }
    return true;
}

static void *resize_huge(char *ptr, size_t bytes)
{
    if (!has_guards()) {
        return huge_resize(ptr, bytes);
    }
    size_t page = os_page_bytes();
    char *start = ptr - page;
    size_t old_bytes = huge_usable_bytes(start);
    ASSERT(old_bytes > 2 * page);
    if (!protect_show(start, old_bytes)) { // in one piece again, for mremap
        hide_around(start, old_bytes - 2 * page);
        return NULL;
    }
    char *resized = huge_resize(start, pages_for(bytes) + 2 * page);
    start = resized != NULL ? resized : start;
    hide_around(start, huge_usable_bytes(start) - 2 * page);
    return resized != NULL ? start + page : NULL;
}

// ---- both ----

void *guarded_allocate(size_t bytes, size_t room, size_t alignment, const void *caller)
{
    ASSERT(thread_is_inside());
    ASSERT(is_pow2(alignment));
    bytes = max_size(bytes, 1);
    room = max_size(room, bytes);
    char *block = NULL;
    bool is_aligned = alignment > os_page_bytes();
    if (bytes < limit_bytes() || (is_aligned && has_guards())) {
        block = take_span(bytes, room, alignment, caller);
    } // no room in the region: a mapping may still succeed
    if (block == NULL && !(is_aligned && has_guards())) {
        block = take_huge(bytes, alignment, caller);
    }
    return block;
}

bool guarded_free(struct chunk *head, void *ptr, const void *caller)
{
    ASSERT(thread_is_inside());
    if (head == NULL) {
        return give_huge(ptr, caller);
    }
    give_span(head, caller);
    return true;
}

void *guarded_resize(struct chunk *head, void *ptr, size_t bytes, const void *caller)
{
    ASSERT(thread_is_inside());
    ASSERT(bytes != 0);
    bool is_huge = bytes >= limit_bytes();
    if (head == NULL) {
        return is_huge ? resize_huge(ptr, bytes) : NULL;
    }
    return is_huge ? NULL : resize_span(head, bytes, caller);
}

void guarded_see_huge(struct huge_view *view)
{
    if (!view->is_cached && has_guards()) {
        size_t bytes = inner_bytes(view->bytes);
        view->is_cached = bytes == 0 || quarantine_has(view->start);
        view->start = (const char *)view->start + os_page_bytes();
        view->bytes = bytes;
    }
}

size_t guarded_huge_bytes_of(size_t usable_bytes)
{
    return has_guards() ? inner_bytes(usable_bytes) : usable_bytes;
}
