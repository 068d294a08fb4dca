/* harden.c - hardened mode: what a CPU has at hand of the slots of racks.
 *
 * Owns:       the stocks; the content of slots: canary, zero, and what users write.
 * Threads:    who holds the stocks, but for what says otherwise.
 * Locks:      LOCK_STOCK, one for each CPU's stocks; rack.c below takes LOCK_RACK.
 * Invariants: HARDEN-1  a slot in a stock is zero throughout, and its record says free.
 *             HARDEN-2  each byte of the last word of a slot is of its canary, or zero, at every
 *                       moment.
 *             HARDEN-3  `last` is the slot freed last; it waits, so nobody has it.
 *
 * A freed slot first waits in a ring of its class. What it displaces there may be used again: a
 * request takes one of those at random. A stock that is full gives half to the racks.
 *
 * Neighbours are looked at without a lock while others use them. The last word of a slot has but
 * these values, so it may be read at any time. The rest of a neighbour counts only while it is
 * free: its record, with the number of frees, must be the same before and after, three times.
 */
#include "hardened/harden.h"

#include "base/os.h"
#include "core/thread.h"
#include "hardened/canary.h"
#include "hardened/fence.h"
#include "hardened/stock.h"

#include <string.h>

#define STOCK_BYTES     (8UL * 1024) // of a class in a stock, but for two slots
#define DELAY_MIN       4            // slots wait in any class
#define NEIGHBOUR_BYTES 32U          // looked at on either side of a block that is freed
#define LOOKS           3

uint64_t g_canary_secret;
struct harden_policy g_harden;
_Atomic(struct harden *) g_harden_stocks[HARDEN_STOCKS];

static const ALIGNED(16) char g_zero[LAST_BYTES];

void harden_start(unsigned level, bool is_quick)
{
    if (level == 0) {
        return;
    }
    g_canary_secret = os_random();
    rack_start();
    fence_start(level >= 2);
    g_harden = (struct harden_policy){
        .is_on = true,
        .is_quick = is_quick,
        .checks_all = level >= 2,
        .quick_bytes = level >= 2 ? 0 : SMALL_BYTES_MAX - CANARY_BYTES,
        .quick_classes = level >= 2 ? 0 : SMALL_CLASSES,
        .moves_always = level >= 3,
        .delay_max = level >= 2 ? 256 : 16,
        .delay_bytes = level >= 2 ? 256UL * 1024 : 8UL * 1024,
        .canary_bytes = level >= 2 ? MEDIUM_BYTES_MAX : 8,
        .canary_bytes_medium = level >= 2 ? MEDIUM_BYTES_MAX : 64,
        .alone_bytes = level >= 3 ? 2048 : MEDIUM_BYTES_MAX - CANARY_BYTES + 1,
    };
}

// ---- stocks ----

static unsigned room_for(unsigned class)
{
    return (unsigned)clamp_size(STOCK_BYTES / rack_slot_bytes(class), 2, STOCK_MAX);
}

static unsigned delay_for(unsigned class)
{
    return (unsigned)clamp_size(g_harden.delay_bytes / rack_slot_bytes(class), DELAY_MIN,
                                g_harden.delay_max);
}

static struct harden *create(void)
{
    size_t words = 0;
    for (unsigned class = 0; class < RACK_CLASSES; class ++) {
        words += room_for(class) + delay_for(class);
    }
    size_t bytes = sizeof(struct harden) + words * sizeof(uint64_t);
    struct harden *harden = os_map(NULL, align_up(bytes, os_page_bytes()));
    if (harden == NULL) {
        return NULL;
    }
    lock_init(&harden->lock, LOCK_STOCK);
    harden->mapped_bytes = align_up(bytes, os_page_bytes());
    harden->random = os_random() | 1;
    harden->last = g_zero;
    uint64_t *at = harden->words;
    for (unsigned class = 0; class < RACK_CLASSES; class ++) {
        struct stock *stock = &harden->stocks[class];
        stock->room = (uint16_t)room_for(class);
        stock->delay = (uint16_t)delay_for(class);
        stock->slot_bytes = (uint32_t)rack_slot_bytes(class);
        stock->words = at;
        stock->ring = at + stock->room;
        at += stock->room + stock->delay;
    }
    return harden;
}

// Takes the place of what waited in the ring longest, and gives that.
static uint64_t wait_in(struct stock *stock, uint64_t word)
{
    uint64_t displaced = stock->ring[stock->at];
    stock_wait(stock, word);
    return displaced;
}

static NOINLINE void make_room(struct stock *stock, unsigned class, const void *caller)
{
    unsigned half = (stock->room + 1U) / 2;
    rack_give(class, stock->words, half, caller);
    stock->count = (uint16_t)(stock->count - half);
    memmove(stock->words, stock->words + half, stock->count * sizeof stock->words[0]);
}

static inline void put(struct stock *stock, unsigned class, uint64_t word, const void *caller)
{
    if (UNLIKELY(stock->count == stock->room)) {
        make_room(stock, class, caller);
    }
    stock->words[stock->count++] = word;
}

static NOINLINE bool refill(struct harden *harden, struct stock *stock, unsigned class)
{
    unsigned wanted = (stock->room + 1U) / 2;
    stock->count = (uint16_t)rack_take(class, &harden->random, stock->words, wanted);
    return stock->count != 0;
}

void harden_put(struct harden *harden, unsigned class, uint64_t word)
{
    put(&harden->stocks[class], class, word, t_thread.caller);
}

static void flush(struct harden *harden)
{
    harden->last = g_zero; // HARDEN-3
    for (unsigned class = 0; class < RACK_CLASSES; class ++) {
        struct stock *stock = &harden->stocks[class];
        for (unsigned i = 0; i < stock->delay; i++) {
            uint64_t displaced = wait_in(stock, 0);
            if (displaced != 0) {
                put(stock, class, displaced, t_thread.caller);
            }
        }
        if (stock->chosen != 0) {
            put(stock, class, stock->chosen, t_thread.caller);
            stock->chosen = 0;
        }
        if (stock->count != 0) {
            rack_give(class, stock->words, stock->count, t_thread.caller);
            stock->count = 0;
        }
    }
}

// ---- checks ----

static NOINLINE COLD NORETURN void complain_of_freed(const char *ptr, const void *caller)
{
    const struct rack *rack = rack_of(page_map_entry(page_map_find(ptr)));
    unsigned record = rack_record(rack, rack_slot_of(rack, ptr));
    fatal_write_after_free(ptr, rack_bytes_in(rack, record), caller);
}

// HARDEN-1: else somebody wrote to it after its free.
static void check_free(const char *ptr, size_t slot_bytes, const void *caller)
{
    bool is_good =
        g_harden.checks_all ? is_all_zero(ptr, slot_bytes) : slot_is_zero_at_ends(ptr, slot_bytes);
    if (UNLIKELY(!is_good)) {
        complain_of_freed(ptr, caller);
    }
}

static inline void check_last(const struct harden *harden, const void *caller)
{
    if (UNLIKELY(!is_all_zero(harden->last, LAST_BYTES))) {
        complain_of_freed(harden->last, caller);
    }
}

void harden_check_last(const struct harden *harden)
{
    check_last(harden, t_thread.caller);
}

// True when the neighbour is free, and yet what lies at `at` in it is not zero.
static bool is_written(const struct rack *rack, unsigned slot, const char *at, size_t bytes)
{
    for (unsigned look = 0; look < LOOKS; look++) {
        unsigned record = rack_record(rack, slot);
        if ((record & RECORD_USED) != 0 || is_all_zero(at, bytes)) {
            return false;
        }
        atomic_thread_fence(memory_order_acquire); // the bytes before the record
        if (rack_record(rack, slot) != record) {
            return false;
        }
    }
    return true;
}

// What a write before or far behind the block at `slot` would have met.
RACY_READER static NOINLINE void check_neighbours(const struct rack *rack, unsigned slot,
                                                  size_t bytes, const void *caller)
{
    char *ptr = rack_slot(rack, slot);
    size_t near = min_size(rack->slot_bytes, NEIGHBOUR_BYTES);
    if (slot != 0 && is_written(rack, slot - 1, ptr - near, near)) {
        fatal_underflow(ptr, bytes, caller);
    }
    if (slot + 1 < rack->slots && is_written(rack, slot + 1, ptr + rack->slot_bytes, near)) {
        fatal_overflow(ptr, bytes, caller);
    }
}

// HARDEN-2, also while somebody writes it.
static NOINLINE bool is_last_word(uint64_t word, uint64_t canary)
{
    for (unsigned i = 0; i < 64; i += 8) {
        uint64_t byte = (word >> i) & 0xff;
        if (byte != 0 && byte != ((canary >> i) & 0xff)) {
            return false;
        }
    }
    return true;
}

RACY_READER static void check_before(const struct rack *rack, unsigned slot, const char *ptr,
                                     size_t bytes, const void *caller)
{
    if (UNLIKELY(slot == 0)) {
        return; // of another rack, or hidden
    }
    if (LIKELY(slot_is_whole_before(ptr, rack->slot_bytes))) {
        return;
    }
    if (!is_last_word(canary_load(ptr - 8), canary_word(ptr - rack->slot_bytes))) {
        fatal_underflow(ptr, bytes, caller);
    }
}

static inline size_t canary_most(size_t slot_bytes)
{
    return LIKELY(slot_bytes <= SMALL_BYTES_MAX) ? g_harden.canary_bytes
                                                 : g_harden.canary_bytes_medium;
}

static inline void check_canary(const struct rack *rack, const char *ptr, unsigned record,
                                const void *caller)
{
    size_t slack = record & RACK_SLACK_MAX;
    size_t bytes = rack->slot_bytes - slack;
    if (UNLIKELY(!canary_is_whole(canary_word(ptr), ptr + bytes, slack,
                                  canary_most(rack->slot_bytes)))) {
        fatal_overflow(ptr, bytes, caller);
    }
}

// ---- take ----

static inline unsigned class_for(size_t bytes, size_t alignment)
{
    size_t whole = bytes + CANARY_BYTES;
    if (UNLIKELY(alignment > BLOCK_ALIGN_BYTES)) {
        return size_class_of_aligned(whole, alignment);
    }
    if (UNLIKELY(bytes == 0)) {
        return RACK_EMPTY_CLASS;
    }
    return LIKELY(whole <= SMALL_BYTES_MAX) ? size_class_of_small(whole)
                                            : size_class_of_medium(whole);
}

// Writes the record and the canary of a block of `bytes`.
static inline void begin_block(struct rack *rack, uint64_t word, size_t slot_bytes, size_t bytes)
{
    char *ptr = rack_ptr_of_word(word);
    unsigned slot = rack_slot_of_word(word);
    size_t slack = min_size(slot_bytes - bytes, RACK_SLACK_MAX);
    rack_set_used(&rack->records[slot], slack);
    canary_write(canary_word(ptr), ptr + slot_bytes - slack, slack, canary_most(slot_bytes));
}

void *harden_take(struct harden *harden, size_t bytes, size_t alignment)
{
    unsigned class = class_for(bytes, alignment);
    ASSERT(class < RACK_CLASSES);
    struct stock *stock = &harden->stocks[class];
    check_last(harden, t_thread.caller);
    if (UNLIKELY(stock->chosen == 0)) {
        if (stock->count == 0 && !refill(harden, stock, class)) {
            return NULL;
        }
        stock_choose(harden, stock);
    }
    uint64_t word = stock->chosen;
    stock_choose(harden, stock);
    struct rack *rack = rack_of_word(word);
    char *ptr = rack_ptr_of_word(word);
    if (UNLIKELY(class == RACK_EMPTY_CLASS)) {
        unsigned slot = rack_slot_of_word(word);
        rack_set_record(rack, slot, rack_record(rack, slot) | RECORD_USED);
        return ptr;
    }
    slot_touch(ptr, stock->slot_bytes, rack_record(rack, rack_slot_of_word(word)));
    check_free(ptr, stock->slot_bytes, t_thread.caller);
    begin_block(rack, word, stock->slot_bytes, bytes);
    return ptr;
}

// ---- find ----

enum harden_finding harden_find(const struct rack *rack, const void *ptr, size_t *bytes)
{
    unsigned slot = rack_slot_of(rack, ptr);
    if (slot < rack->first || slot >= rack->slots) {
        *bytes = 0;
        return HARDEN_INTERIOR;
    }
    unsigned record = rack_record(rack, slot);
    *bytes = rack_bytes_in(rack, record);
    if (rack_slot(rack, slot) != ptr) {
        return HARDEN_INTERIOR;
    }
    return (record & RECORD_USED) != 0 ? HARDEN_IN_USE : HARDEN_FREED;
}

// ---- give ----

// Zero as far as anything was written: the block, its canary, the last word.
static void make_zero(const struct rack *rack, char *ptr, size_t bytes)
{
    size_t slot_bytes = rack->slot_bytes;
    if (LIKELY(slot_bytes <= SMALL_BYTES_MAX)) {
        slot_clear_small(ptr, slot_bytes);
        return;
    }
    memset(ptr, 0, min_size(slot_bytes, bytes + canary_most(slot_bytes)));
    memset(ptr + slot_bytes - CANARY_BYTES, 0, CANARY_BYTES);
}

static inline void end_block(struct rack *rack, unsigned slot, const void *caller)
{
    unsigned record = rack_record(rack, slot);
    char *ptr = rack_slot(rack, slot);
    if (LIKELY(rack->class != RACK_EMPTY_CLASS)) {
        size_t bytes = rack_bytes_in(rack, record);
        check_canary(rack, ptr, record, caller);
        check_before(rack, slot, ptr, bytes, caller);
        if (UNLIKELY(g_harden.checks_all)) {
            check_neighbours(rack, slot, bytes, caller);
        }
        make_zero(rack, ptr, bytes);
    }
    rack_set_free(&rack->records[slot], record);
}

void harden_give(struct harden *harden, struct rack *rack, unsigned slot, const void *caller)
{
    uint64_t word = rack_word(rack_slot(rack, slot), slot);
    unsigned class = rack->class;
    end_block(rack, slot, caller);
    if (UNLIKELY(harden == NULL)) { // no memory for stocks
        rack_give(class, &word, 1, caller);
        return;
    }
    struct stock *stock = &harden->stocks[class];
    uint64_t displaced = wait_in(stock, word);
    if (LIKELY(class != RACK_EMPTY_CLASS)) {
        harden->last = rack_ptr_of_word(word);
    }
    if (LIKELY(displaced != 0)) {
        put(stock, class, displaced, caller);
    }
}

// ---- resize ----

bool harden_resize(struct rack *rack, void *ptr, size_t bytes, const void *caller)
{
    size_t slot_bytes = rack->slot_bytes;
    unsigned slot = rack_slot_of(rack, ptr);
    unsigned record = rack_record(rack, slot);
    size_t old_bytes = rack_bytes_in(rack, record);
    if (rack->class == RACK_EMPTY_CLASS || bytes + CANARY_BYTES > slot_bytes ||
        bytes < old_bytes / 2 || (bytes < old_bytes && slot_bytes <= SMALL_BYTES_MAX)) {
        return false;
    }
    check_canary(rack, ptr, record, caller);
    size_t kept = min_size(old_bytes, bytes);
    size_t end = min_size(slot_bytes, old_bytes + canary_most(slot_bytes));
    memset((char *)ptr + kept, 0, end - kept);
    begin_block(rack, rack_word(ptr, slot), slot_bytes, bytes);
    return true;
}

// ---- whose stocks ----

static struct harden *get_or_make(size_t index)
{
    struct harden *harden = stock_at(index);
    if (LIKELY(harden != NULL)) {
        return harden;
    }
    struct harden *made = create();
    if (made != NULL &&
        !atomic_compare_exchange_strong_explicit(&g_harden_stocks[index], &harden, made,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        os_unmap(made, made->mapped_bytes); // another thread was faster
        return harden;
    }
    return made;
}

// Where there is no memory for stocks of this CPU: those of another.
static struct harden *any_stocks(void)
{
    struct harden *harden = NULL;
    for (unsigned i = 0; i < HARDEN_STOCKS && harden == NULL; i++) {
        harden = stock_at(i);
    }
    return harden;
}

struct harden *harden_acquire(void) UNCHECKED_LOCKS
{
    if (UNLIKELY(!t_thread.is_bound)) {
        slot_open(); // no request goes by its slot, but its number tells which stocks are near
    }
    size_t index = stock_first_index();
    struct harden *harden = get_or_make(index);
    harden = harden != NULL ? harden : any_stocks();
    if (harden == NULL || lock_try_acquire(&harden->lock)) {
        return harden;
    }
    struct harden *next = get_or_make((index + 1) % HARDEN_STOCKS);
    harden = next != NULL && next != harden ? next : harden;
    lock_acquire(&harden->lock);
    return harden;
}

void harden_release(struct harden *harden) UNCHECKED_LOCKS
{
    lock_release(&harden->lock);
}

void harden_flush(void)
{
    for (unsigned i = 0; i < HARDEN_STOCKS; i++) {
        struct harden *harden = stock_at(i);
        if (harden != NULL) {
            lock_acquire(&harden->lock);
            flush(harden);
            lock_release(&harden->lock);
        }
    }
}

void harden_each_lock(lock_visitor *visit)
{
    for (unsigned i = 0; i < HARDEN_STOCKS; i++) {
        struct harden *harden = stock_at(i);
        if (harden != NULL) {
            visit(&harden->lock);
        }
    }
}
