/* rack.c - hardened mode: spans cut into slots of one class.
 *
 * Owns:       the map entries of RACK spans, the structures and records of racks.
 * Threads:    any.
 * Locks:      LOCK_RACK, one a class; page_heap.c below takes LOCK_PAGE_HEAP.
 * Invariants: RACK-1  a slot whose bit is set is zero throughout and its record says free.
 *             RACK-2  a listed rack has a bit set or slots that were never used.
 *             RACK-3  structures are type-stable: never given back, used again for their class.
 *
 * Slots are opened some pages at a time, in address order, and chosen at random among those open:
 * what a small program does not need stays untouched.
 */
#include "hardened/rack.h"

#include "pages/page_heap.h"
#include "base/lock.h"
#include "base/os.h"
#include "hardened/canary.h"
#include "pages/protect.h"
#include "base/meta_alloc.h"
#include "base/live.h"

#define CHUNKS_MIN     2
#define CHUNKS_SMALL   4  // 64 KiB between two guard pages
#define CHUNKS_MAX     16 // 256 KiB, for medium blocks
#define OPEN_BYTES     4096UL
#define OPEN_SLOTS_MIN 8U
#define PICKED_AT_ONCE 8
#define EMPTIES_MAX    3   // racks of a class that are kept
#define SPARE_SLOTS    16U // a rack of so many can do without its first one

struct ALIGNED(64) shelf {
    struct lock lock;
    struct rack *listed; // [lock: LOCK_RACK] with room
    struct rack *gone;   // [lock: LOCK_RACK] structures without a span
    uint32_t empties;    // [lock: LOCK_RACK] racks without a block outside
};

static struct {
    struct shelf shelves[RACK_CLASSES];
} g_rack;

// ---- lists and bits ----

static void list_put_locked(struct shelf *shelf, struct rack *rack)
{
    rack->prev = NULL;
    rack->next = shelf->listed;
    if (shelf->listed != NULL) {
        shelf->listed->prev = rack;
    }
    shelf->listed = rack;
    rack->is_listed = true;
}

static void list_remove_locked(struct shelf *shelf, struct rack *rack)
{
    if (rack->prev != NULL) {
        rack->prev->next = rack->next;
    } else {
        shelf->listed = rack->next;
    }
    if (rack->next != NULL) {
        rack->next->prev = rack->prev;
    }
    rack->is_listed = false;
}

static uint64_t *word_of(struct rack *rack, unsigned slot)
{
    return &rack->free[slot / 64];
}

static bool is_empty(const struct rack *rack)
{
    return rack->free_count == rack->opened - rack->first;
}

// ---- racks ----

static unsigned chunks_for(unsigned class)
{
    if (class == RACK_EMPTY_CLASS) {
        return 1;
    }
    size_t bytes = size_class_bytes(class) * RACK_SLOTS_MAX;
    unsigned most = size_class_is_small(class) ? CHUNKS_SMALL : CHUNKS_MAX;
    return (unsigned)clamp_size(bytes >> CHUNK_SHIFT, CHUNKS_MIN, most);
}

static size_t guard_bytes(const struct rack *rack)
{
    size_t all = (size_t)rack->length << CHUNK_SHIFT;
    return rack->class == RACK_EMPTY_CLASS ? all : os_page_bytes();
}

static char *guard_start(const struct rack *rack)
{
    return rack->start + ((size_t)rack->length << CHUNK_SHIFT) - guard_bytes(rack);
}

static unsigned slots_for(unsigned class, size_t bytes)
{
    size_t page = os_page_bytes();
    bytes -= class == RACK_EMPTY_CLASS || page > CHUNK_BYTES ? 0 : page;
    return (unsigned)min_size(bytes / rack_slot_bytes(class), RACK_SLOTS_MAX);
}

static struct rack *structure_take_locked(struct shelf *shelf, unsigned slots)
{
    struct rack *rack = shelf->gone;
    if (rack != NULL) {
        shelf->gone = rack->next;
        memset(rack->records, 0, slots * sizeof rack->records[0]);
        return rack;
    }
    return meta_alloc(sizeof *rack + slots * sizeof rack->records[0]);
}

static void mark_span(struct rack *rack, size_t index)
{
    for (uint32_t i = 0; i < rack->length; i++) {
        struct chunk *entry = page_map_entry(index + i);
        entry->length = rack->length - i;
        entry->sc = (uint8_t)rack->class;
        entry->record = rack;
        chunk_set_state(entry, CHUNK_RACK);
    }
}

// Without a head, until span.c files it as free.
static void unmark_span(const struct rack *rack, size_t index)
{
    for (uint32_t i = 0; i < rack->length; i++) {
        struct chunk *entry = page_map_entry(index + i);
        entry->head_distance = 0;
        entry->usable_bytes = 0;
        chunk_set_state(entry, CHUNK_BODY);
    }
}

static struct rack *rack_create_locked(struct shelf *shelf, unsigned class)
{
    unsigned length = chunks_for(class);
    size_t bytes = (size_t)length << CHUNK_SHIFT;
    unsigned slots = slots_for(class, bytes);
    struct rack *rack = structure_take_locked(shelf, slots);
    if (rack == NULL) {
        return NULL;
    }
    bool clean;
    size_t index = page_heap_take(length, 1, &clean);
    if (index == 0) {
        rack->next = shelf->gone;
        shelf->gone = rack;
        return NULL;
    }
    rack->start = page_map_address(index);
    rack->length = length;
    rack->class = (uint16_t) class;
    rack->slot_bytes = (uint32_t)rack_slot_bytes(class);
    rack->reciprocal = class == RACK_EMPTY_CLASS ? (1UL << 40) / BLOCK_ALIGN_BYTES
                                                 : g_size_classes[class].reciprocal;
    rack->slots = (uint16_t)slots;
    rack->first = slots >= SPARE_SLOTS && class != RACK_EMPTY_CLASS ? 1 : 0;
    rack->opened = rack->first;
    rack->free_count = 0;
    if (!clean && class != RACK_EMPTY_CLASS) {
        protect_clear(rack->start, bytes);
    }
    rack->is_guarded = protect_reserve(1);
    if (rack->is_guarded) { // refused: these pages stay readable, no more
        protect_hide(guard_start(rack), guard_bytes(rack));
    }
    mark_span(rack, index);
    list_put_locked(shelf, rack);
    shelf->empties++;
    live_count();
    return rack;
}

// The free slot that somebody wrote to ends the program.
static COLD void complain(const struct rack *rack, const void *caller)
{
    size_t slot_bytes = rack_slot_bytes(rack->class);
    for (unsigned slot = 0; slot < rack->opened; slot++) {
        if (!is_all_zero(rack_slot(rack, slot), slot_bytes)) {
            size_t bytes = rack_bytes_in(rack, rack_record(rack, slot));
            fatal_write_after_free(rack_slot(rack, slot), bytes, caller);
        }
    }
}

// A rack without a block in use, whose slots nobody may have written to.
static void rack_close_locked(struct shelf *shelf, struct rack *rack, const void *caller)
{
    size_t slot_bytes = rack_slot_bytes(rack->class);
    if (rack->class != RACK_EMPTY_CLASS && !is_all_zero(rack->start, rack->opened * slot_bytes)) {
        complain(rack, caller);
    }
    list_remove_locked(shelf, rack);
    shelf->empties--;
    if (rack->is_guarded) {
        if (!protect_show(guard_start(rack), guard_bytes(rack))) {
            return; // no mapping is left to join these pages with others: nobody gets them
        }
        protect_unreserve(1);
    }
    memset(rack->free, 0, sizeof rack->free);
    size_t index = page_map_find(rack->start);
    unmark_span(rack, index);
    page_heap_give(index, rack->length);
    rack->next = shelf->gone;
    shelf->gone = rack;
}

// ---- slots ----

static void open_slots_locked(struct rack *rack)
{
    unsigned some = (unsigned)(OPEN_BYTES / rack_slot_bytes(rack->class));
    unsigned end = rack->opened + (some > OPEN_SLOTS_MIN ? some : OPEN_SLOTS_MIN);
    end = end < rack->slots ? end : rack->slots;
    while (rack->opened < end) {
        unsigned first = rack->opened % 64;
        unsigned count = end - rack->opened < 64 - first ? end - rack->opened : 64 - first;
        *word_of(rack, rack->opened) |= ~0UL >> (64 - count) << first;
        rack->opened = (uint16_t)(rack->opened + count);
        rack->free_count = (uint16_t)(rack->free_count + count);
    }
}

// Takes up to `wanted` slots out of the bits: some at a time, from a random place on.
static unsigned pick_locked(struct rack *rack, uint64_t *random, uint64_t *words, unsigned wanted)
{
    unsigned count = 0;
    unsigned all = (rack->opened + 63U) / 64;
    while (count < wanted && rack->free_count != 0) {
        uint64_t x = xorshift_next(random);
        unsigned at = (unsigned)((x >> 32) * all >> 32);
        while (rack->free[at] == 0) {
            at = at + 1 == all ? 0 : at + 1;
        }
        unsigned turn = x & 63;
        uint64_t word = rack->free[at];
        uint64_t turned = word >> turn | word << ((64 - turn) & 63);
        const char *start = rack_slot(rack, at * 64);
        for (unsigned i = 0; i < PICKED_AT_ONCE && turned != 0 && count < wanted; i++) {
            unsigned bit = ((unsigned)__builtin_ctzll(turned) + turn) % 64;
            turned &= turned - 1;
            word &= ~(1UL << bit);
            rack->free_count--;
            words[count++] = rack_word(start + (size_t)bit * rack->slot_bytes, at * 64 + bit);
        }
        rack->free[at] = word;
    }
    return count;
}

unsigned rack_take(unsigned class, uint64_t *random, uint64_t *words, unsigned wanted)
{
    struct shelf *shelf = &g_rack.shelves[class];
    unsigned count = 0;
    lock_acquire(&shelf->lock);
    while (count < wanted) {
        struct rack *rack = shelf->listed;
        if (rack == NULL) {
            rack = count == 0 ? rack_create_locked(shelf, class) : NULL;
            if (rack == NULL) {
                break;
            }
        }
        shelf->empties -= is_empty(rack);
        if (rack->free_count == 0) {
            open_slots_locked(rack);
        }
        count += pick_locked(rack, random, words + count, wanted - count);
        if (rack->free_count == 0 && rack->opened == rack->slots) {
            list_remove_locked(shelf, rack); // RACK-2
        }
    }
    lock_release(&shelf->lock);
    return count;
}

// False: the slot was there already.
static bool put_back_locked(struct shelf *shelf, uint64_t word, const void *caller)
{
    struct rack *rack = rack_of_word(word);
    unsigned slot = rack_slot_of_word(word);
    uint64_t bit = 1UL << (slot % 64);
    if ((*word_of(rack, slot) & bit) != 0) {
        return false;
    }
    *word_of(rack, slot) |= bit;
    rack->free_count++;
    if (UNLIKELY(!rack->is_listed)) {
        list_put_locked(shelf, rack);
    }
    if (UNLIKELY(is_empty(rack)) && ++shelf->empties > EMPTIES_MAX) {
        rack_close_locked(shelf, rack, caller);
    }
    return true;
}

void rack_give(unsigned class, const uint64_t *words, unsigned count, const void *caller)
{
    struct shelf *shelf = &g_rack.shelves[class];
    bool is_good = true;
    unsigned i = 0;
    lock_acquire(&shelf->lock);
    for (; i < count && is_good; i++) {
        is_good = put_back_locked(shelf, words[i], caller);
    }
    lock_release(&shelf->lock);
    if (!is_good) { // two threads freed it at the same time
        fatal_double_free(rack_ptr_of_word(words[i - 1]), rack_slot_bytes(class), caller);
    }
}

size_t rack_trim(const void *caller)
{
    size_t bytes = 0;
    for (unsigned class = 0; class < RACK_CLASSES; class ++) {
        struct shelf *shelf = &g_rack.shelves[class];
        lock_acquire(&shelf->lock);
        struct rack *next = NULL;
        for (struct rack *rack = shelf->listed; rack != NULL; rack = next) {
            next = rack->next;
            if (is_empty(rack)) {
                bytes += (size_t)rack->length << CHUNK_SHIFT;
                rack_close_locked(shelf, rack, caller);
            }
        }
        lock_release(&shelf->lock);
    }
    return bytes;
}

size_t rack_live_count(const struct rack *rack, size_t *slack_bytes)
{
    size_t count = 0;
    for (unsigned slot = rack->first; slot < rack->opened; slot++) {
        unsigned record = rack_record(rack, slot);
        if ((record & RECORD_USED) != 0) {
            *slack_bytes += record & RACK_SLACK_MAX;
            count++;
        }
    }
    return count;
}

// ---- start and fork ----

void rack_start(void)
{
    for (unsigned class = 0; class < RACK_CLASSES; class ++) {
        lock_init(&g_rack.shelves[class].lock, LOCK_RACK);
    }
}

void rack_each_lock(lock_visitor *visit)
{
    for (unsigned class = 0; class < RACK_CLASSES; class ++) {
        visit(&g_rack.shelves[class].lock);
    }
}
