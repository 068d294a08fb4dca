/* cpu_cache.c - the slow paths of a slot: its loaded magazine is empty or full.
 *
 * Owns:       the limits and early counts of the slots, the counts of shared requests, and which
 *             requests may take the fast path.
 * Threads:    any, inside a slow path.
 * Locks:      takes none; slot.c and depot.c below take theirs.
 * Invariants: CACHE-1  a limit is raised only in an open slot, whose words are valid lists.
 *             CACHE-2  at any moment each list belongs to exactly one slot, to the depot, or to one
 *                      thread, which may migrate to another CPU meanwhile.
 *
 * No two words of a slot are updated together. So each step takes a whole magazine out of the slot
 * or exchanges one for another: if another thread of the CPU has stored a list there meanwhile,
 * that list goes to the depot. When the sequence is aborted, the depot alone serves the request.
 *
 * The first frees of each class in a slot are checked: the block must not be in the magazine that
 * it is pushed onto, and the links there must be sound. Until then the limit is 0, so that every
 * free of the class takes the slow path.
 */
#include "core/cpu_cache.h"

#include "base/check.h"
#include "base/fatal.h"
#include "core/depot.h"
#include "core/depot_look.h"
#include "core/fall.h"
#include "core/inherited.h"
#include "core/magazine.h"
#include "core/slab.h"
#include "core/slot.h"
#include "core/thin.h"
#include "pages/page_heap.h"

#define EARLY_FREES   32U    // frees checked per class and slot
#define HELD_LINKS    8U     // of the loaded magazine, followed before a realloc
#define HELD_LOOKS    64U    // slots searched for an early free
#define EARLY_WAITING 2U     // early blocks held back before they are reused
#define EARLY_LINKS   64U    // of a magazine, followed per check
#define CHECKED_LINKS 4U     // of each magazine, while the heap is young; see checked_links
#define TICK_PERIOD   64     // refills between two clock reads
#define LOOK_PERIOD   64     // slow frees between two looks for a fall
#define FREED_BYTES   4096UL // of a magazine that grows by frees alone
#define PASSING       2048U  // frees that are passed on after a fall
#define LIMIT_FIRST   8U     // blocks; doubled each time a magazine is full or empty

#define SHARING_FIRST   4U     // of 80 bytes: smaller ones fill their pages in any program
#define SHARING_CLASSES 48U    // to blocks of a page
#define SHARING_GROUP   4U     // classes: 48 bytes more at most, or a third
#define SHARED_BYTES    4096UL // of requests per class, or
#define SHARED_MOST     32U    // requests

_Atomic(size_t) g_fast_bytes;
static _Atomic(size_t) g_fast_wanted; // [atomic] g_fast_bytes, but for the time of a watch

static struct {
    _Atomic(unsigned) looks;                  // [atomic] up to about CONFIG_YOUNG_LOOKS
    _Atomic(uint8_t) shared[SHARING_CLASSES]; // [atomic] requests served by the group's last class
} g_cpu_cache;

// Opens the slot if necessary; false: only the depot can serve.
static bool is_usable(void)
{
    return LIKELY(slot_is_open()) || slot_open();
}

static unsigned limit_of(const struct slot *slot, unsigned sc)
{
    unsigned limit = atomic_load_explicit(&slot->limit[slot_bin(sc)], memory_order_relaxed);
    ASSERT(limit == 0 || limit >= g_list_end);
    return limit != 0 ? limit - g_list_end : 0;
}

static void set_limit(struct slot *slot, unsigned sc, unsigned blocks)
{
    ASSERT(blocks <= LIST_BLOCKS_MAX);
    // CACHE-1: this thread may have migrated since it last checked
    if (atomic_load_explicit(&slot->is_open, memory_order_acquire)) {
        atomic_store_explicit(&slot->limit[slot_bin(sc)], (uint16_t)(g_list_end + blocks),
                              memory_order_relaxed);
    }
}

// Doubles the limit up to `grown`, or lowers it to the depot's magazine size. True: it cannot be
// raised further.
static bool adapt_limit(struct slot *slot, unsigned sc, unsigned grown)
{
    unsigned limit = limit_of(slot, sc);
    unsigned next = limit;
    if (limit < grown) {
        next = (unsigned)min_size(limit != 0 ? limit * 2UL : LIMIT_FIRST, grown);
    }
    next = (unsigned)min_size(next, depot_magazine_blocks(sc));
    ASSERT(next <= magazine_blocks_max(sc));
    if (next != limit) {
        set_limit(slot, sc, next);
    }
    return next <= limit;
}

// Installs a list as the loaded or spare magazine of the slot. The previous list, or this one if
// there is no slot, goes to the depot.
static NOINLINE void put_into(size_t at, unsigned sc, list_word list)
{
    ASSERT(at == slot_loaded_at(sc) || at == slot_spare_at(sc));
    list_word old = list;
    slot_exchange(at, list, &old); // CACHE-2
    depot_return(sc, old);
}

// ---- checks ----

// True while frees of the class are still checked in this slot.
static bool is_early(const struct slot *slot, unsigned sc)
{
    return atomic_load_explicit(&slot->early[slot_bin(sc)], memory_order_relaxed) < EARLY_FREES;
}

// How many checked blocks are held back in the spare magazine; see give_early.
static unsigned waiting_max(unsigned sc)
{
    ASSERT(magazine_blocks_max(sc) != 0);
    unsigned most = sc >= MEDIUM_END ? EARLY_WAITING : magazine_blocks_max(sc) - 1;
    return (unsigned)min_size(EARLY_WAITING, most);
}

// Enough to reach the block behind one that was just allocated: see SLAB_SPREAD_LINES.
static unsigned checked_links(unsigned sc)
{
    ASSERT(sc < CLASSES);
    return CHECKED_LINKS + (size_class_bytes(sc) < CACHE_LINE_BYTES ? SLAB_SPREAD_LINES : 0);
}

// Dies if one of the first links of a list is not sound.
static void check_list(list_word list, unsigned sc)
{
    ASSERT(list_count(list) <= LIST_BLOCKS_MAX);
    unsigned most = checked_links(sc);
    for (unsigned i = 0; i < most && !list_is_empty(list); i++) {
        if (!list_is_sound(list)) {
            slab_complain(list_first(list), t_thread.caller);
        }
        list = list_link(list_first(list));
    }
}

// True if the block is among the first `most` of a list that others may change meanwhile. A block
// that was allocated since may lead anywhere, but a match is still a block that was free, never one
// in use.
RACY_READER static bool is_in_list(list_word list, unsigned sc, const void *block, unsigned most)
{
    ASSERT(most != 0);
    for (unsigned i = 0; i < most && !list_is_empty(list); i++) {
        const void *at = list_first(list);
        if (page_map_bin(page_map_find(at)) != slot_bin(sc) ||
            (uintptr_t)at % BLOCK_ALIGN_BYTES != 0) {
            return false;
        }
        if (at == block) {
            return true;
        }
        list = *(const list_word *)at; // read here, not in a callee: it may change
    }
    return false;
}

// True if one of the first HELD_LOOKS slots holds the block.
static bool is_held(unsigned sc, const void *block)
{
    ASSERT(block != NULL);
    size_t bin = slot_bin(sc);
    unsigned looks = HELD_LOOKS;
    for (const struct slot *slot = slot_next(NULL); slot != NULL && looks-- > 0;
         slot = slot_next(slot)) {
        if (is_in_list(slot_look(&slot->loaded[bin]), sc, block, EARLY_LINKS) ||
            is_in_list(slot_look(&slot->spare[bin]), sc, block, EARLY_LINKS)) {
            return true;
        }
    }
    return false;
}

// Dies if one of the first links of a magazine of the slot is not sound.
static void check_magazine(size_t at, unsigned sc)
{
    list_word list = list_empty();
    slot_exchange(at, list, &list);
    check_list(list, sc);
    put_into(at, sc, list);
}

// While the heap is young, checks the first links of every magazine of the slot on each refill from
// the depot, so that a write after free is reported before the block is handed out again.
static void check_young(void)
{
    unsigned looks = atomic_load_explicit(&g_cpu_cache.looks, memory_order_relaxed);
    if (looks >= CONFIG_YOUNG_LOOKS) {
        return;
    }
    atomic_store_explicit(&g_cpu_cache.looks, looks + 1, memory_order_relaxed);
    const struct slot *slot = is_usable() ? slot_hint() : NULL; // a hint: the thread may migrate
    for (unsigned sc = 0; slot != NULL && sc < CLASSES; sc++) {
        if (!list_is_empty(slot_look(&slot->loaded[slot_bin(sc)]))) {
            check_magazine(slot_loaded_at(sc), sc);
        }
        if (!list_is_empty(slot_look(&slot->spare[slot_bin(sc)]))) {
            check_magazine(slot_spare_at(sc), sc);
        }
    }
}

// ---- all slots ----

static bool holds_blocks(const struct slot *slot)
{
    bool holds = false;
    ASSERT(slot->is_open); // else its words are no lists
    for (size_t bin = 0; bin < SLOT_BINS && !holds; bin++) {
        holds = !list_is_empty(slot_look(&slot->loaded[bin])) ||
                !list_is_empty(slot_look(&slot->spare[bin]));
    }
    return holds;
}

// Drains the slots of all CPUs, if one of them holds blocks, other than that of the CPU where the
// thread seems to run. False: none does, or the kernel refuses.
static bool drain_slots(void)
{
    ASSERT(thread_is_inside());
    bool finds_one = false;
    const struct slot *own = slot_hint();
    for (struct slot *slot = slot_next_of_cpu(NULL); slot != NULL && !finds_one;
         slot = slot_next_of_cpu(slot)) {
        finds_one = slot != own && holds_blocks(slot);
    }
    if (!finds_one || !slot_keep_out()) {
        return false;
    }
    for (struct slot *slot = slot_next_of_cpu(NULL); slot != NULL; slot = slot_next_of_cpu(slot)) {
        ASSERT(slot != slot_hint()); // it is closed
        depot_drain_slot(slot);
    }
    slot_let_in();
    return true;
}

static void flush_own(void)
{
    for (unsigned i = 0; i < 2 * CLASSES && is_usable(); i++) {
        unsigned sc = i / 2;
        put_into(i % 2 == 0 ? slot_loaded_at(sc) : slot_spare_at(sc), sc, list_empty());
    }
}

void cpu_cache_flush(bool of_all)
{
    ASSERT(thread_is_inside());
    bool drained = of_all && drain_slots();
    if (!drained || t_thread.own != NULL) { // the slot of a thread is not among those of CPUs
        flush_own();
    }
}

// The slots of other CPUs are flushed by the threads that run there: to keep these out takes a
// system call that a sandbox may not expect. If there is no other thread, it does not.
static NOINLINE void flush_after_fall(struct slot *slot, unsigned falls)
{
    RELAXED_STORE(slot->falls, falls);
    page_heap_free_waiting();
    depot_trim(false);
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        set_limit(slot, sc, 0);
    }
    RELAXED_STORE(slot->passing, PASSING);
    cpu_cache_flush(slot_is_alone());
}

// Flushes the caches of this CPU if there was a fall since this was last done.
static void note_fall(bool is_free)
{
    struct slot *slot = slot_hint();
    if (slot == NULL || !atomic_load_explicit(&slot->is_open, memory_order_relaxed)) {
        return;
    }
    if (is_free) {
        uint32_t frees = RELAXED_LOAD(slot->frees) + 1;
        RELAXED_STORE(slot->frees, frees);
        if (frees % LOOK_PERIOD == 0) {
            fall_look(false);
        }
    }
    unsigned falls = fall_count();
    if (UNLIKELY(falls != RELAXED_LOAD(slot->falls))) {
        flush_after_fall(slot, falls);
    }
}

// ---- allocate ----

void cpu_cache_set_fast(size_t bytes)
{
    ASSERT(bytes <= SMALL_BYTES_MAX + 1);
    atomic_store_explicit(&g_fast_wanted, bytes, memory_order_relaxed);
    atomic_store_explicit(&g_fast_bytes, bytes, memory_order_relaxed);
}

// While the page heap waits, all mallocs take the slow path, so that they are counted.
static void watch(void)
{
    size_t fast =
        page_heap_watch() ? 0 : atomic_load_explicit(&g_fast_wanted, memory_order_relaxed);
    ASSERT(fast <= SMALL_BYTES_MAX + 1);
    if (fast != atomic_load_explicit(&g_fast_bytes, memory_order_relaxed)) {
        atomic_store_explicit(&g_fast_bytes, fast, memory_order_relaxed);
    }
}

// A thread that migrates leaves its blocks in the slot of the CPU; they pin slabs there.
static NOINLINE void sweep(void)
{
    if (slot_is_alone()) {
        (void)drain_slots(); // without a system call, see flush_after_fall
    }
    fall_look(true);
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        depot_sweep(sc);
    }
}

void cpu_cache_tick(void)
{
    watch();
    note_fall(false);
    if (++t_thread.ticks % TICK_PERIOD == 0 && page_heap_tick()) {
        sweep();
    }
}

// Removes the loaded magazine from the slot, or else the spare one.
static list_word take_from_slot(unsigned sc)
{
    ASSERT(sc < CLASSES);
    list_word list = list_empty();
    if (is_usable()) {
        slot_exchange(slot_loaded_at(sc), list_empty(), &list); // usually empty
        if (list_is_empty(list)) {
            slot_exchange(slot_spare_at(sc), list_empty(), &list);
        }
    }
    return list;
}

static list_word take_from_depot(unsigned sc, bool *is_clean)
{
    struct depot_fetched taken = depot_fetch(sc);
    check_young();
    if (taken.fresh_bytes != 0) {
        thin_out(taken.fresh_bytes);
    }
    cpu_cache_tick();
    ASSERT(!taken.is_clean || list_count(taken.list) == 1);
    *is_clean = taken.is_clean;
    return taken.list;
}

// Takes a magazine from the slot, or else from the depot; empty if out of memory.
static list_word find_magazine(unsigned sc, bool *is_clean)
{
    list_word list = take_from_slot(sc);
    struct slot *slot = slot_hint();
    bool waits =
        list_count(list) <= waiting_max(sc) && slot != NULL && is_early(slot, sc); // see give_early
    if (!list_is_empty(list) && !waits) {
        return list;
    }
    check_list(list, sc);
    list_word fresh = take_from_depot(sc, is_clean);
    if (slot != NULL && !is_early(slot, sc)) {
        adapt_limit(slot, sc, magazine_blocks_max(sc));
    }
    if (list_is_empty(fresh)) {
        return list;
    }
    put_into(slot_spare_at(sc), sc, list);
    return fresh;
}

unsigned cpu_cache_class_at_first(unsigned sc)
{
    ASSERT(sc < CLASSES);
    if (sc < SHARING_FIRST || sc >= SHARING_CLASSES || CONFIG_TINY) {
        return sc;
    }
    _Atomic(uint8_t) *shared = &g_cpu_cache.shared[sc];
    unsigned count = atomic_load_explicit(shared, memory_order_relaxed);
    if (LIKELY(count >= SHARED_MOST) || count * size_class_bytes(sc) >= SHARED_BYTES) {
        return sc;
    }
    atomic_store_explicit(shared, (uint8_t)(count + 1), memory_order_relaxed);
    return sc | (SHARING_GROUP - 1);
}

void *cpu_cache_allocate(unsigned sc, bool *is_clean)
{
    ASSERT(sc < CLASSES);
    *is_clean = false;
    void *block = slot_pop(sc); // refilled meanwhile, or the fast path always misses in this mode
    if (block != NULL) {
        return block;
    }
    list_word list = find_magazine(sc, is_clean);
    block = list_first(list);
    if (UNLIKELY(block == NULL)) {
        return NULL;
    }
    if (UNLIKELY(!list_is_sound(list))) { // LIST-1
        slab_complain(block, t_thread.caller);
    }
    ASSERT((uintptr_t)block % BLOCK_ALIGN_BYTES == 0);
    if (list_count(list) != 1) {
        put_into(slot_loaded_at(sc), sc, list_link(block));
    }
    ASSERT(!*is_clean || list_count(list) == 1);
    if (*is_clean) {
        list_set_link(block, 0); // zero like the rest of the block
    }
    return block;
}

// ---- free ----

// Dies if the block is known to be free, or if a link of the list is not sound. As all frees so far
// were checked, such a link was overwritten.
static void look_early(unsigned sc, list_word list, const void *block)
{
    ASSERT(block != NULL);
    size_t bytes = size_class_bytes(sc);
    bool is_free = is_held(sc, block) || depot_holds(sc, block, EARLY_LINKS);
    for (unsigned i = 0; i < EARLY_LINKS && !list_is_empty(list) && !is_free; i++) {
        is_free = list_first(list) == block;
        if (!is_free && !list_is_sound(list)) {
            fatal_overwritten_block(block, bytes, t_thread.caller);
        }
        list = list_link(list_first(list));
    }
    if (is_free) {
        fatal_double_free(block, bytes, t_thread.caller);
    }
}

static void count_early(struct slot *slot, unsigned sc)
{
    _Atomic(uint8_t) *early = &slot->early[slot_bin(sc)];
    unsigned count = atomic_load_explicit(early, memory_order_relaxed);
    ASSERT(count <= EARLY_FREES);
    atomic_store_explicit(early, (uint8_t)min_size(count + 1, EARLY_FREES), memory_order_relaxed);
    if (count + 1 == EARLY_FREES) {
        set_limit(slot, sc, (unsigned)min_size(LIMIT_FIRST, depot_magazine_blocks(sc)));
    }
}

// Frees a checked block so that the next request does not return it if there is another one: a use
// after free should not hit a new owner at once.
static void give_early(unsigned sc, list_word list, void *block)
{
    if (list_is_empty(list)) { // hold it back in the spare magazine
        list_word spare = list_empty();
        slot_exchange(slot_spare_at(sc), list_empty(), &spare);
        check_list(spare, sc);
        bool is_alone = list_is_empty(spare);
        spare = is_alone ? list_push(spare, block) : list_push_second(spare, block);
        bool waits = list_count(spare) <= waiting_max(sc);
        if (!waits && list_count(spare) > magazine_blocks_max(sc)) { // load one, keep the rest
            put_into(slot_spare_at(sc), sc, list_link(list_first(spare)));
            spare = list_push(list_empty(), list_first(spare));
        }
        put_into(waits ? slot_spare_at(sc) : slot_loaded_at(sc), sc, spare);
        return;
    }
    ASSERT(list_first(list) != block); // look_early() would have died
    if (list_count(list) >= depot_magazine_blocks(sc)) {
        put_into(slot_spare_at(sc), sc, list);
        list = list_push(list_empty(), block);
    } else {
        list = list_push_second(list, block);
    }
    put_into(slot_loaded_at(sc), sc, list);
}

// The magazine limit of a class that is only freed to in this slot: short, as nobody here reuses
// the blocks.
static unsigned freed_limit(unsigned sc)
{
    ASSERT(sc < CLASSES);
    return (unsigned)max_size(FREED_BYTES / size_class_bytes(sc), LIMIT_FIRST);
}

// After a fall a slot caches nothing of a class before a malloc of it misses, or many frees did:
// the thread may be about to end, and nobody may run on this CPU for long.
static bool passes_on(struct slot *slot, unsigned sc)
{
    uint32_t passing = RELAXED_LOAD(slot->passing);
    if (limit_of(slot, sc) != 0 || passing == 0) {
        return false;
    }
    RELAXED_STORE(slot->passing, passing - 1);
    return true;
}

static void give(struct slot *slot, unsigned sc, list_word list, void *block)
{
    ASSERT(slot != NULL);
    ASSERT(block != NULL);
    if (passes_on(slot, sc)) {
        depot_return(sc, list);
        depot_return(sc, list_push(list_empty(), block));
        return;
    }
    if (list_count(list) >= limit_of(slot, sc) && adapt_limit(slot, sc, freed_limit(sc))) {
        put_into(slot_spare_at(sc), sc, list);
        list = list_empty();
    }
    put_into(slot_loaded_at(sc), sc, list_push(list, block));
    if (UNLIKELY(depot_magazine_blocks(sc) == 0)) { // the class has shrunk: cache nothing
        set_limit(slot, sc, 0);
        put_into(slot_loaded_at(sc), sc, list_empty());
        put_into(slot_spare_at(sc), sc, list_empty());
    }
}

void cpu_cache_free(unsigned sc, void *block)
{
    ASSERT(sc < CLASSES);
    ASSERT((uintptr_t)block % BLOCK_ALIGN_BYTES == 0);
    ASSERT(slab_of(block)->sc == sc); // else a block of one class would be reused as another
    if (inherited_is_slab(page_map_find(block))) {
        depot_mark(slab_of(block), block);
        return;
    }
    list_word list = list_empty();
    struct slot *slot = is_usable() ? slot_hint() : NULL;
    bool early = UNLIKELY(slot != NULL && is_early(slot, sc));
    bool has_slot = slot != NULL && !(early && depot_magazine_blocks(sc) == 0) &&
                    slot_exchange(slot_loaded_at(sc), list_empty(), &list);
    if (early) {
        look_early(sc, list, block);
        count_early(slot, sc);
    }
    if (!has_slot) {
        depot_return(sc, list_push(list_empty(), block));
    } else if (early) {
        give_early(sc, list, block);
    } else {
        give(slot, sc, list, block);
    }
    note_fall(true);
}

bool cpu_cache_holds(unsigned sc, const void *block)
{
    ASSERT(block != NULL);
    const struct slot *slot = slot_hint();
    size_t bin = slot_bin(sc);
    return slot != NULL && (is_in_list(slot_look(&slot->loaded[bin]), sc, block, HELD_LINKS) ||
                            (is_early(slot, sc) &&
                             is_in_list(slot_look(&slot->spare[bin]), sc, block, HELD_LINKS)));
}
