/* guarded.c - hardened mode: large and huge blocks between guard pages.
 *
 * Owns:       the map entries of GUARDED spans; the freed blocks in quarantine.
 * Threads:    any; two calls for one block are its user's mistake.
 * Locks:      LOCK_GUARDED for the quarantine; none while memory is taken or given.
 * Invariants: GUARDED-1  a block in quarantine is hidden from its first to its last page, but for
 *                        GUARDED-3, and the NEWEST are not used again.
 *             GUARDED-2  memory goes back to the floor below readable, and purged.
 *             GUARDED-3  a short block in quarantine may stay readable; it is zero then.
 *
 * A large block is a span: hidden pages, the block's pages, hidden pages to the end. Behind its
 * last byte stands a canary to the end of its page. A huge block is a mapping of its own, a page
 * longer on each side; its bytes are not kept, so it has no canary. Freed blocks keep their memory
 * while in quarantine: to clear it costs less than to have it given anew.
 */
#include "hardened/guarded.h"

#include "pages/page_heap.h"
#include "pages/backing.h"
#include "pages/limit.h"
#include "pages/span.h"
#include "base/lock.h"
#include "base/os.h"
#include "hardened/canary.h"
#include "pages/protect.h"
#include "base/live.h"

#define FRONT_MAX            65536UL // a block at multiples of more has no hidden page before it
#define ROWS                 2       // hidden before a span and behind it
#define NEWEST               2       // GUARDED-1
#define QUARANTINE_MAX       128
#define QUARANTINE_BYTES_MIN (4UL << 20)
#define QUARANTINE_BYTES_MAX (128UL << 20)
#define RESIDENT_MAX         (32UL << 20)  // a longer block is quarantined without memory
#define OPEN_MAX             (128UL << 10) // bytes of a block that stays readable in quarantine
#define QUARANTINE_SHARE     8             // of the memory in use
#define SEEN_MAX             256           // bytes of a canary
#define GROWTH_SHARE         8             // of a block that grew is readable behind it

// A freed block. A span from `start` on, or a huge block with its front page at `start`.
struct quarantined {
    char *start;  // NULL: none
    size_t bytes; // of the span, or of the mapping
    size_t shown; // GUARDED-3: of its block, that can be read; 0: none
    bool is_purged;
    bool is_huge; // false: it has reserved ROWS rows of hidden pages
};

static struct {
    struct lock lock;
    bool purges;    // [const] blocks that leave the quarantine are purged
    unsigned count; // [lock: LOCK_GUARDED] this and the rest
    size_t bytes;   // of all in quarantine
    struct quarantined quarantine[QUARANTINE_MAX]; // oldest first
} g_guarded;

void guarded_start(bool purges)
{
    g_guarded.purges = purges;
    lock_init(&g_guarded.lock, LOCK_GUARDED);
}

// Of the block's beginning, that can be read: what it needs, or more once it grew.
static size_t shown_bytes(const struct chunk *head)
{
    return head->shown_pages * os_page_bytes();
}

// ---- quarantine ----

static size_t resident_bytes(const struct quarantined *freed)
{
    return freed->is_purged ? 0 : freed->bytes;
}

static struct quarantined remove_locked(unsigned at)
{
    struct quarantined freed = g_guarded.quarantine[at];
    g_guarded.count--;
    g_guarded.bytes -= resident_bytes(&freed);
    memmove(&g_guarded.quarantine[at], &g_guarded.quarantine[at + 1],
            (g_guarded.count - at) * sizeof g_guarded.quarantine[0]);
    return freed;
}

static void check_open(const struct quarantined *freed, const void *caller)
{
    const char *block = freed->start + os_page_bytes();
    if (freed->shown != 0 && !is_all_zero(block, freed->shown)) { // GUARDED-3
        size_t bytes = page_map_entry(page_map_find(freed->start))->usable_bytes;
        fatal_write_after_free(block, bytes, caller);
    }
}

// GUARDED-2. What cannot be made readable again is lost.
static void release(struct quarantined freed, const void *caller)
{
    check_open(&freed, caller);
    if (!protect_show(freed.start, freed.bytes)) {
        return;
    }
    if (g_guarded.purges && !freed.is_purged) {
        os_purge(freed.start, freed.bytes);
    }
    if (freed.is_huge) {
        huge_give(freed.start);
        return;
    }
    size_t index = page_map_find(freed.start);
    struct chunk *head = page_map_entry(index);
    if (head->is_guarded) {
        protect_unreserve(ROWS);
    }
    page_heap_give(index, head->length);
}

static size_t budget(void)
{
    return clamp_size(span_used_bytes() / QUARANTINE_SHARE, QUARANTINE_BYTES_MIN,
                      QUARANTINE_BYTES_MAX);
}

// False: it cannot be hidden.
static bool quarantine(struct quarantined freed, const void *caller)
{
    struct quarantined evicted[QUARANTINE_MAX];
    unsigned count = 0;
    size_t most = budget();
    if (freed.bytes > RESIDENT_MAX) { // before, since to hide what is resident takes long
        freed.is_purged = os_purge(freed.start, freed.bytes);
    }
    if (freed.shown == 0 && !protect_hide(freed.start, freed.bytes)) {
        return false;
    }
    size_t bytes = resident_bytes(&freed);
    lock_acquire(&g_guarded.lock);
    while (g_guarded.count == QUARANTINE_MAX ||
           (g_guarded.count >= NEWEST && g_guarded.bytes + bytes > most)) { // GUARDED-1
        evicted[count++] = remove_locked(0);
    }
    g_guarded.quarantine[g_guarded.count++] = freed;
    g_guarded.bytes += bytes;
    lock_release(&g_guarded.lock);
    for (unsigned i = 0; i < count; i++) {
        release(evicted[i], caller);
    }
    return true;
}

size_t guarded_trim(const void *caller)
{
    struct quarantined all[QUARANTINE_MAX];
    size_t bytes = 0;
    lock_acquire(&g_guarded.lock);
    unsigned count = g_guarded.count;
    memcpy(all, g_guarded.quarantine, count * sizeof all[0]);
    g_guarded.count = 0;
    g_guarded.bytes = 0;
    lock_release(&g_guarded.lock);
    for (unsigned i = 0; i < count; i++) {
        bytes += all[i].bytes;
        release(all[i], caller);
    }
    return bytes;
}

// The oldest that is as long, or up to a quarter longer; none of the newest. start NULL: none.
static struct quarantined take_quarantined(size_t bytes, bool is_huge)
{
    struct quarantined found = {NULL, 0, 0, false, false};
    lock_acquire(&g_guarded.lock);
    for (unsigned i = 0; i + NEWEST < g_guarded.count && found.start == NULL; i++) { // GUARDED-1
        const struct quarantined *one = &g_guarded.quarantine[i];
        if (one->is_huge == is_huge && one->bytes >= bytes && one->bytes - bytes <= bytes / 4) {
            found = remove_locked(i);
        }
    }
    lock_release(&g_guarded.lock);
    return found;
}

static bool is_quarantined(const char *start)
{
    bool is_there = false;
    bool was_taken = lock_acquire_to_look(&g_guarded.lock);
    for (unsigned i = 0; i < g_guarded.count; i++) {
        is_there |= g_guarded.quarantine[i].start == start;
    }
    lock_release_after_look(&g_guarded.lock, was_taken);
    return is_there;
}

// ---- large ----

// Chunks of a span that holds `bytes`: an eighth more at most, so that others of about its size
// can use it again.
static size_t length_for(size_t bytes)
{
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

// Whole pages, with room for a canary unless the block ends where they do.
static size_t pages_for(size_t bytes)
{
    size_t page = os_page_bytes();
    return bytes % page == 0 ? bytes : align_up(bytes + CANARY_BYTES, page);
}

static void write_canary(const struct chunk *head)
{
    char *block = guarded_block(head);
    size_t slack = shown_bytes(head) - head->usable_bytes;
    if (slack != 0) {
        canary_write(canary_word(block), block + head->usable_bytes, slack, SEEN_MAX);
    }
}

static void check_canary(const struct chunk *head, const void *caller)
{
    const char *block = guarded_block(head);
    size_t bytes = head->usable_bytes;
    size_t slack = shown_bytes(head) - bytes;
    if (slack != 0 && !canary_is_whole(canary_word(block), block + bytes, slack, SEEN_MAX)) {
        fatal_overflow(block, bytes, caller);
    }
}

// `shown` bytes of the block can be read.
static void mark_span(struct chunk *head, size_t length, char *block, size_t bytes, size_t shown)
{
    head->length = (uint32_t)length;
    head->usable_bytes = bytes;
    head->shown_pages = (uint32_t)(shown / os_page_bytes());
    head->record = block;
    page_map_mark_body(head, length);
    chunk_set_state(head, CHUNK_GUARDED);
    write_canary(head);
}

// Makes `pages` of a quarantined block readable, or a quarter more. False: refused.
static bool open_quarantined(struct quarantined *freed, char *block, size_t pages,
                             const void *caller)
{
    size_t shown = freed->shown;
    check_open(freed, caller);
    if (shown < pages) {
        if (!protect_show(block + shown, pages - shown)) {
            return false;
        }
        if (!freed->is_purged) {
            protect_clear(block + shown, pages - shown);
        }
    } else if (shown > pages + pages / 4 && protect_hide(block + pages, shown - pages)) {
        shown = pages;
    }
    freed->shown = max_size(shown, pages);
    return true;
}

// A span out of quarantine: only the block's pages become readable.
static char *reuse_span(size_t bytes, size_t length, const void *caller)
{
    struct quarantined freed = take_quarantined(length << CHUNK_SHIFT, false);
    if (freed.start == NULL) {
        return NULL;
    }
    char *block = freed.start + os_page_bytes();
    if (!open_quarantined(&freed, block, pages_for(bytes), caller)) {
        release(freed, caller);
        return NULL;
    }
    struct chunk *head = page_map_entry(page_map_find(freed.start));
    mark_span(head, freed.bytes >> CHUNK_SHIFT, block, bytes, freed.shown);
    return block;
}

static char *take_span(size_t bytes, size_t room, size_t alignment, const void *caller)
{
    size_t page = os_page_bytes();
    size_t front = alignment > FRONT_MAX ? 0 : max_size(alignment, page);
    size_t pages = pages_for(bytes);
    size_t length = length_for(front + pages_for(room) + page);
    char *block = alignment <= page ? reuse_span(bytes, length, caller) : NULL;
    if (block != NULL) {
        return block;
    }
    bool clean;
    size_t index = page_heap_take(length, max_size(alignment >> CHUNK_SHIFT, 1), &clean);
    if (index == 0) {
        return NULL;
    }
    char *start = page_map_address(index);
    block = start + front;
    if (!clean) {
        protect_clear(block, pages);
    }
    struct chunk *head = page_map_entry(index);
    head->is_guarded = protect_reserve(ROWS);
    if (head->is_guarded) { // what is refused stays readable, no more
        protect_hide(start, front);
        protect_hide(block + pages, (length << CHUNK_SHIFT) - front - pages);
    }
    mark_span(head, length, block, bytes, pages);
    live_count();
    return block;
}

// What a short block that was freed leaves readable: to hide it costs more than to make it zero.
static size_t leave_open(const struct chunk *head)
{
    size_t shown = shown_bytes(head);
    char *block = guarded_block(head);
    if (g_guarded.purges || shown > OPEN_MAX || block != span_start_of(head) + os_page_bytes() ||
        !protect_is_resident(block, shown)) {
        return 0;
    }
    memset(block, 0, shown);
    return shown;
}

static void give_span(struct chunk *head, const void *caller)
{
    check_canary(head, caller);
    // A body without a head, so that a second free is noticed.
    head->head_distance = 0;
    chunk_set_state(head, CHUNK_BODY);
    size_t shown = head->is_guarded ? leave_open(head) : 0;
    struct quarantined freed = {span_start_of(head), span_bytes(head), shown, false, false};
    if (!head->is_guarded || !quarantine(freed, caller)) {
        release(freed, caller);
    }
}

// Adds chunks behind a span for `bytes` in all; false: there are none.
static bool extend_span(struct chunk *head, size_t bytes)
{
    size_t index = page_map_index(head);
    size_t old = head->length;
    size_t length = length_for(bytes);
    bool clean;
    if (!span_extend(index, old, length - old, &clean)) {
        return false;
    }
    head->length = (uint32_t)length;
    page_map_mark_body(head, length);
    if (head->is_guarded) {
        protect_hide(page_map_address(index + old), (length - old) << CHUNK_SHIFT);
    }
    return true;
}

// Makes more of a span readable, with some room for the next growth. False: refused.
static bool show_more(struct chunk *head, size_t pages, size_t room)
{
    size_t shown = shown_bytes(head);
    size_t wanted = min_size(room, align_up(pages + pages / GROWTH_SHARE, os_page_bytes()));
    if (head->is_guarded && !protect_show(guarded_block(head) + shown, wanted - shown)) {
        return false;
    }
    memset(guarded_block(head) + shown, 0, wanted - shown);
    head->shown_pages = (uint32_t)(wanted / os_page_bytes());
    return true;
}

static void show_less(struct chunk *head, size_t pages)
{
    size_t shown = shown_bytes(head);
    if (head->is_guarded && protect_hide(guarded_block(head) + pages, shown - pages)) {
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
    size_t kept = min_size(bytes, head->usable_bytes);
    size_t shown = shown_bytes(head);
    if (pages > shown && !show_more(head, pages, span_bytes(head) - around)) {
        return NULL;
    }
    if (shown != head->usable_bytes) { // of the old canary nothing is to stay
        memset(block + kept, 0, min_size(kept + SEEN_MAX, shown) - kept);
        memset(block + shown - CANARY_BYTES, 0, CANARY_BYTES);
    }
    if (pages < shown && bytes < head->usable_bytes) {
        show_less(head, pages);
    }
    head->usable_bytes = bytes;
    write_canary(head);
    return block;
}

// ---- huge ----

// Hides the pages around `bytes` in a mapping that has room for them.
static void hide_around(char *start, size_t bytes)
{
    size_t page = os_page_bytes();
    protect_hide(start, page);
    protect_hide(start + page + bytes, page);
}

// A block in a file has none: what is purged there comes back, and hidden pages are no reserve.
static bool has_guards(void)
{
    return !backing_is_on();
}

static char *take_huge(size_t bytes, size_t alignment)
{
    size_t page = os_page_bytes();
    size_t pages = pages_for(bytes);
    if (!has_guards()) {
        bool clean;
        char *block = huge_take(bytes, alignment, &clean);
        if (block != NULL && !clean) {
            memset(block, 0, bytes);
        }
        return block;
    }
    struct quarantined freed = take_quarantined(pages + 2 * page, true);
    char *start = freed.start;
    if (start != NULL && protect_show(start + page, freed.bytes - 2 * page)) {
        if (!freed.is_purged) {
            protect_clear(start + page, freed.bytes - 2 * page);
        }
        return start + page;
    }
    bool clean;
    start = huge_take(pages + 2 * page, page, &clean);
    if (start == NULL) {
        return NULL;
    }
    if (!clean) {
        protect_clear(start, pages + 2 * page);
    }
    hide_around(start, pages);
    return start + page;
}

size_t guarded_huge_bytes(const void *ptr, bool *is_freed)
{
    if (!has_guards()) {
        return huge_usable_bytes(ptr);
    }
    const char *start = (const char *)ptr - os_page_bytes();
    size_t bytes = huge_usable_bytes(start);
    *is_freed = bytes != 0 && is_quarantined(start);
    return bytes != 0 ? bytes - 2 * os_page_bytes() : 0;
}

static bool give_huge(char *ptr, const void *caller)
{
    size_t page = os_page_bytes();
    if (!has_guards()) {
        return huge_give(ptr);
    }
    size_t bytes = huge_usable_bytes(ptr - page);
    if (bytes == 0 || is_quarantined(ptr - page)) {
        return false;
    }
    struct quarantined freed = {ptr - page, bytes, 0, false, true};
    if (!quarantine(freed, caller)) {
        release(freed, caller);
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
    if (!protect_show(start, old_bytes)) { // in one piece again, for mremap
        return NULL;
    }
    char *resized = huge_resize(start, pages_for(bytes) + 2 * page);
    start = resized != NULL ? resized : start;
    hide_around(start, huge_usable_bytes(start) - 2 * page);
    return resized != NULL ? start + page : NULL;
}

// ---- both ----

void *guarded_take(size_t bytes, size_t room, size_t alignment, const void *caller)
{
    bytes = max_size(bytes, 1);
    room = max_size(room, bytes);
    char *block = NULL;
    bool is_aligned = alignment > os_page_bytes();
    if (bytes < limit_bytes() || (is_aligned && has_guards())) {
        block = take_span(bytes, room, alignment, caller);
    } // no room in the region: a mapping may still be had
    if (block == NULL && !(is_aligned && has_guards())) {
        block = take_huge(bytes, alignment);
    }
    return block;
}

bool guarded_give(struct chunk *head, void *ptr, const void *caller)
{
    if (head == NULL) {
        return give_huge(ptr, caller);
    }
    give_span(head, caller);
    return true;
}

void *guarded_resize(struct chunk *head, void *ptr, size_t bytes, const void *caller)
{
    bool is_huge = bytes >= limit_bytes();
    if (head == NULL) {
        return is_huge ? resize_huge(ptr, bytes) : NULL;
    }
    return is_huge ? NULL : resize_span(head, bytes, caller);
}

void guarded_see_huge(struct huge_view *view)
{
    size_t page = os_page_bytes();
    if (!view->is_cached && has_guards()) {
        view->is_cached = is_quarantined(view->start);
        view->start = (const char *)view->start + page;
        view->bytes -= 2 * page;
    }
}

size_t guarded_huge_bytes_of(size_t usable_bytes)
{
    return has_guards() && usable_bytes != 0 ? usable_bytes - 2 * os_page_bytes() : usable_bytes;
}

void guarded_huge_quarantined(size_t *blocks, size_t *bytes)
{
    lock_acquire(&g_guarded.lock);
    for (unsigned i = 0; i < g_guarded.count; i++) {
        *blocks += g_guarded.quarantine[i].is_huge;
        *bytes += g_guarded.quarantine[i].is_huge ? g_guarded.quarantine[i].bytes : 0;
    }
    lock_release(&g_guarded.lock);
}

// ---- fork ----

void guarded_prefork(void)
{
    lock_acquire_for_fork(&g_guarded.lock);
}

void guarded_postfork_parent(void)
{
    lock_release_after_fork(&g_guarded.lock);
}

void guarded_postfork_child(void)
{
    lock_init(&g_guarded.lock, LOCK_GUARDED);
}
