/* harden.c - hardened mode: per-CPU caches of slots of hardened slabs.
 *
 * Owns:       the caches; the content of slots: canary, zeros, and user data.
 * Threads:    the one that holds the cache, unless stated otherwise.
 * Locks:      LOCK_HCACHE, one per cache; hslab.c below takes LOCK_HSLAB.
 * Invariants: HARDEN-1  a slot in a cache is all zero, and its record says free.
 *             HARDEN-2  each byte of the last word of a slot is that of its canary, or zero, at
 *                       all times.
 *             HARDEN-3  `last` is the slot freed last; it is in quarantine, so nobody has it.
 *
 * A freed slot enters the quarantine of its class, a ring. The slot it displaces becomes ready; a
 * request takes a random ready slot. A full bin returns half of its slots to the slabs.
 *
 * Neighbours are checked without a lock while others use them. The last word of a slot has only
 * these values, so it may be read at any time. The rest of a neighbour is checked only while it is
 * free: its record, with the number of frees, must be the same before and after, in three tries.
 */
#include "hardened/harden.h"

#include "base/check.h"
#include "base/fatal.h"
#include "base/os.h"
#include "core/thread.h"
#include "hardened/canary.h"
#include "hardened/quarantine.h"
#include "hardened/hcache.h"

#include <string.h>

#define READY_BYTES     (8UL * 1024) // ready slots of a class, in bytes, but at least two slots
#define QUARANTINE_MIN  4            // slots in quarantine in any class
#define NEIGHBOUR_BYTES 32U          // checked on either side of a block when it is freed
#define LOOKS           3

uint64_t g_canary_secret;
struct harden_policy g_harden;
_Atomic(struct hcache *) g_hcaches[HCACHES];

static const ALIGNED(16) char g_zero[LAST_BYTES];

void harden_start(unsigned level, bool is_quick)
{
    ASSERT(!g_harden.is_on);
    ASSERT(level <= 3);
    if (level == 0) {
        return;
    }
    g_canary_secret = os_random();
    hslab_start();
    quarantine_start(level >= 2);
    g_harden = (struct harden_policy){
        .is_on = true,
        .is_quick = is_quick,
        .checks_all = level >= 2,
        .quick_bytes = level >= 2 ? 0 : SMALL_BYTES_MAX - CANARY_BYTES,
        .quick_classes = level >= 2 ? 0 : SMALL_CLASSES,
        .moves_always = level >= 3,
        .quarantine_max = level >= 2 ? 256 : 16,
        .quarantine_bytes = level >= 2 ? 256UL * 1024 : 8UL * 1024,
        .canary_bytes = level >= 2 ? MEDIUM_BYTES_MAX : 8,
        .canary_bytes_medium = level >= 2 ? MEDIUM_BYTES_MAX : 64,
        .alone_bytes = level >= 3 ? 2048 : MEDIUM_BYTES_MAX - CANARY_BYTES + 1,
    };
}

// ---- caches ----

static unsigned ready_max_for(unsigned sc)
{
    return (unsigned)clamp_size(READY_BYTES / hslab_slot_bytes(sc), 2, HCACHE_READY_MAX);
}

static unsigned quarantine_max_for(unsigned sc)
{
    ASSERT(g_harden.quarantine_max >= QUARANTINE_MIN);
    return (unsigned)clamp_size(g_harden.quarantine_bytes / hslab_slot_bytes(sc), QUARANTINE_MIN,
                                g_harden.quarantine_max);
}

static struct hcache *create(void)
{
    ASSERT(g_harden.is_on);
    size_t words = 0;
    for (unsigned sc = 0; sc < HSLAB_CLASSES; sc++) {
        words += ready_max_for(sc) + quarantine_max_for(sc);
    }
    size_t bytes = sizeof(struct hcache) + words * sizeof(uint64_t);
    struct hcache *cache = os_map(NULL, align_up(bytes, os_page_bytes()));
    if (cache == NULL) {
        return NULL;
    }
    lock_init(&cache->lock, LOCK_HCACHE);
    cache->mapped_bytes = align_up(bytes, os_page_bytes());
    cache->random = os_random() | 1;
    cache->last = g_zero;
    uint64_t *at = cache->words;
    for (unsigned sc = 0; sc < HSLAB_CLASSES; sc++) {
        struct hcache_bin *bin = &cache->bins[sc];
        bin->ready_max = (uint16_t)ready_max_for(sc);
        bin->quarantine_max = (uint16_t)quarantine_max_for(sc);
        bin->slot_bytes = (uint32_t)hslab_slot_bytes(sc);
        bin->ready = at;
        bin->quarantine = at + bin->ready_max;
        at += bin->ready_max + bin->quarantine_max;
    }
    ASSERT(at == cache->words + words);
    return cache;
}

// Puts the slot into quarantine, and returns the oldest one there.
static uint64_t quarantine(struct hcache_bin *bin, uint64_t word)
{
    ASSERT(bin->quarantine_at < bin->quarantine_max);
    uint64_t displaced = bin->quarantine[bin->quarantine_at];
    hcache_quarantine(bin, word);
    return displaced;
}

static NOINLINE void make_room(struct hcache_bin *bin, unsigned sc, const void *caller)
{
    ASSERT(bin->ready_count == bin->ready_max);
    unsigned half = (bin->ready_max + 1U) / 2;
    hslab_free(sc, bin->ready, half, caller);
    bin->ready_count = (uint16_t)(bin->ready_count - half);
    memmove(bin->ready, bin->ready + half, bin->ready_count * sizeof bin->ready[0]);
}

static inline void put(struct hcache_bin *bin, unsigned sc, uint64_t word, const void *caller)
{
    ASSERT(hslab_of_word(word)->sc == sc);
    ASSERT(bin->ready_count <= bin->ready_max);
    if (UNLIKELY(bin->ready_count == bin->ready_max)) {
        make_room(bin, sc, caller);
    }
    bin->ready[bin->ready_count++] = word;
}

static NOINLINE bool refill(struct hcache *cache, struct hcache_bin *bin, unsigned sc)
{
    ASSERT(lock_is_mine(&cache->lock));
    ASSERT(bin->ready_count == 0);
    unsigned wanted = (bin->ready_max + 1U) / 2;
    bin->ready_count = (uint16_t)hslab_allocate(sc, &cache->random, bin->ready, wanted);
    return bin->ready_count != 0;
}

void harden_put(struct hcache *cache, unsigned sc, uint64_t word)
{
    ASSERT(lock_is_mine(&cache->lock));
    put(&cache->bins[sc], sc, word, t_thread.caller);
}

static void flush(struct hcache *cache)
{
    ASSERT(lock_is_mine(&cache->lock));
    cache->last = g_zero; // HARDEN-3
    for (unsigned sc = 0; sc < HSLAB_CLASSES; sc++) {
        struct hcache_bin *bin = &cache->bins[sc];
        for (unsigned i = 0; i < bin->quarantine_max; i++) {
            uint64_t displaced = quarantine(bin, 0);
            if (displaced != 0) {
                put(bin, sc, displaced, t_thread.caller);
            }
        }
        if (bin->chosen != 0) {
            put(bin, sc, bin->chosen, t_thread.caller);
            bin->chosen = 0;
        }
        if (bin->ready_count != 0) {
            hslab_free(sc, bin->ready, bin->ready_count, t_thread.caller);
            bin->ready_count = 0;
        }
    }
}

// ---- checks ----

static NOINLINE COLD NORETURN void complain_of_freed(const char *ptr, const void *caller)
{
    const struct hslab *slab = hslab_of(page_map_entry(page_map_find(ptr)));
    unsigned record = hslab_record(slab, hslab_slot_of(slab, ptr));
    fatal_write_after_free(ptr, hslab_bytes_in(slab, record), caller);
}

// HARDEN-1: otherwise it was written to after its free.
static void check_free(const char *ptr, size_t slot_bytes, const void *caller)
{
    ASSERT(slot_bytes % sizeof(canary_pair) == 0);
    bool is_good =
        g_harden.checks_all ? is_all_zero(ptr, slot_bytes) : slot_is_zero_at_ends(ptr, slot_bytes);
    if (UNLIKELY(!is_good)) {
        complain_of_freed(ptr, caller);
    }
}

// True when the neighbour is free but its bytes at `at` are not zero. A thread that allocates it
// meanwhile may be writing them: its record then differs.
RACY_READER static bool is_written(const struct hslab *slab, unsigned slot, const char *at,
                                   size_t bytes)
{
    ASSERT(slot < slab->slots);
    ASSERT(bytes % sizeof(canary_pair) == 0);
    for (unsigned look = 0; look < LOOKS; look++) {
        unsigned record = hslab_record(slab, slot);
        if ((record & RECORD_USED) != 0 || is_all_zero(at, bytes)) {
            return false;
        }
        atomic_thread_fence(memory_order_acquire); // the bytes before the record
        if (hslab_record(slab, slot) != record) {
            return false;
        }
    }
    return true;
}

// Checks what a write before or far past the block at `slot` would have hit.
static NOINLINE void check_neighbours(const struct hslab *slab, unsigned slot, size_t bytes,
                                      const void *caller)
{
    ASSERT(slab->sc != HSLAB_EMPTY_CLASS);
    char *ptr = hslab_slot(slab, slot);
    size_t near = min_size(slab->slot_bytes, NEIGHBOUR_BYTES);
    if (slot != 0 && is_written(slab, slot - 1, ptr - near, near)) {
        fatal_underflow(ptr, bytes, caller);
    }
    if (slot + 1 < slab->slots && is_written(slab, slot + 1, ptr + slab->slot_bytes, near)) {
        fatal_overflow(ptr, bytes, caller);
    }
}

// The last word of the previous slot may be changing: HARDEN-2 holds for each value.
RACY_READER static void check_before(const struct hslab *slab, unsigned slot, const char *ptr,
                                     size_t bytes, const void *caller)
{
    ASSERT(slab->sc != HSLAB_EMPTY_CLASS);
    if (UNLIKELY(slot == 0)) {
        return; // before it lies another slab, or a hidden page
    }
    if (LIKELY(slot_is_whole_before(ptr, slab->slot_bytes))) {
        return;
    }
    if (!canary_is_partly(canary_load(ptr - 8), canary_word(ptr - slab->slot_bytes))) { // HARDEN-2
        fatal_underflow(ptr, bytes, caller);
    }
}

static inline size_t canary_most(size_t slot_bytes)
{
    return LIKELY(slot_bytes <= SMALL_BYTES_MAX) ? g_harden.canary_bytes
                                                 : g_harden.canary_bytes_medium;
}

static inline void check_canary(const struct hslab *slab, const char *ptr, unsigned record,
                                const void *caller)
{
    size_t slack = record & HSLAB_SLACK_MAX;
    ASSERT(slack >= CANARY_BYTES);
    ASSERT(slack <= slab->slot_bytes);
    size_t bytes = slab->slot_bytes - slack;
    if (UNLIKELY(!canary_is_whole(canary_word(ptr), ptr + bytes, slack,
                                  canary_most(slab->slot_bytes)))) {
        fatal_overflow(ptr, bytes, caller);
    }
}

// True when the block in use has overflowed; others may be freeing or resizing it.
RACY_READER static bool is_written_behind(const struct hslab *slab, unsigned slot)
{
    const char *ptr = hslab_slot(slab, slot);
    const char *last = ptr + slab->slot_bytes - CANARY_BYTES;
    uint64_t word = canary_word(ptr);
    for (unsigned look = 0; look < LOOKS; look++) {
        unsigned record = hslab_record(slab, slot);
        const char *end = ptr + hslab_bytes_in(slab, record);
        if ((record & RECORD_USED) == 0 ||
            LIKELY(canary_is_whole(word, end, record & HSLAB_SLACK_MAX, CANARY_BYTES)) ||
            (canary_is_partly(canary_load(end), canary_ended(canary_turned(word, end))) &&
             canary_is_partly(canary_load(last), word))) {
            return false;
        }
        atomic_thread_fence(memory_order_acquire); // the bytes before the record
        if (hslab_record(slab, slot) != record) {
            return false;
        }
    }
    return true;
}

// Reports a write next to a block that may never be freed, when the next one takes the long path.
static void check_newest(struct hcache *cache, const void *caller)
{
    ASSERT(lock_is_mine(&cache->lock));
    char *ptr = cache->newest;
    cache->newest = NULL;
    struct hslab *slab = ptr != NULL ? hslab_hold(ptr) : NULL;
    if (slab == NULL) {
        return;
    }
    unsigned slot = hslab_slot_of(slab, ptr);
    unsigned record = slot < slab->slots ? hslab_record(slab, slot) : 0; // of another class now
    if ((record & RECORD_USED) != 0 && hslab_slot(slab, slot) == ptr) {
        size_t bytes = hslab_bytes_in(slab, record);
        if (UNLIKELY(is_written_behind(slab, slot))) {
            fatal_overflow(ptr, bytes, caller);
        }
        check_before(slab, slot, ptr, bytes, caller);
    }
    hslab_let_go(slab);
}

static void check_last(const struct hcache *cache)
{
    ASSERT(cache->last != NULL);
    if (UNLIKELY(!is_all_zero(cache->last, LAST_BYTES))) {
        complain_of_freed(cache->last, t_thread.caller);
    }
}

void harden_check_last(struct hcache *cache)
{
    ASSERT(lock_is_mine(&cache->lock));
    check_last(cache);
    check_newest(cache, t_thread.caller);
}

// ---- allocate ----

static inline unsigned class_for(size_t bytes, size_t alignment)
{
    ASSERT(bytes < g_harden.alone_bytes);
    ASSERT(is_pow2(alignment));
    size_t whole = bytes + CANARY_BYTES;
    if (UNLIKELY(alignment > BLOCK_ALIGN_BYTES)) {
        return size_class_of_aligned(whole, alignment);
    }
    if (UNLIKELY(bytes == 0)) {
        return HSLAB_EMPTY_CLASS;
    }
    return LIKELY(whole <= SMALL_BYTES_MAX) ? size_class_of_small(whole)
                                            : size_class_of_medium(whole);
}

// Writes the record and the canary for a block of `bytes`.
static inline void begin_block(struct hslab *slab, uint64_t word, size_t slot_bytes, size_t bytes)
{
    ASSERT(bytes + CANARY_BYTES <= slot_bytes);
    char *ptr = hslab_ptr_of_word(word);
    unsigned slot = hslab_slot_of_word(word);
    size_t slack = min_size(slot_bytes - bytes, HSLAB_SLACK_MAX);
    hslab_set_used(&slab->records[slot], slack);
    canary_write(canary_word(ptr), ptr + slot_bytes - slack, slack, canary_most(slot_bytes));
    ASSERT(canary_is_partly(canary_load(ptr + slot_bytes - 8), canary_word(ptr))); // HARDEN-2
}

void *harden_allocate(struct hcache *cache, size_t bytes, size_t alignment)
{
    ASSERT(lock_is_mine(&cache->lock));
    unsigned sc = class_for(bytes, alignment);
    ASSERT(sc < HSLAB_CLASSES);
    struct hcache_bin *bin = &cache->bins[sc];
    check_last(cache);
    if (sc >= SMALL_CLASSES || (bin->chosen == 0 && bin->ready_count == 0)) {
        check_newest(cache, t_thread.caller);
    }
    if (UNLIKELY(bin->chosen == 0)) {
        if (bin->ready_count == 0 && !refill(cache, bin, sc)) {
            return NULL;
        }
        hcache_choose(cache, bin);
    }
    uint64_t word = bin->chosen;
    hcache_choose(cache, bin);
    struct hslab *slab = hslab_of_word(word);
    char *ptr = hslab_ptr_of_word(word);
    if (UNLIKELY(sc == HSLAB_EMPTY_CLASS)) {
        unsigned slot = hslab_slot_of_word(word);
        hslab_set_record(slab, slot, hslab_record(slab, slot) | RECORD_USED);
        return ptr;
    }
    ASSERT((uintptr_t)ptr % max_size(alignment, BLOCK_ALIGN_BYTES) == 0);
    slot_touch(ptr, bin->slot_bytes, hslab_record(slab, hslab_slot_of_word(word)));
    check_free(ptr, bin->slot_bytes, t_thread.caller);
    begin_block(slab, word, bin->slot_bytes, bytes);
    cache->newest = ptr;
    return ptr;
}

// ---- find ----

enum harden_finding harden_find(const struct hslab *slab, const void *ptr, size_t *bytes)
{
    unsigned slot = hslab_slot_of(slab, ptr);
    if (slot < slab->first || slot >= slab->slots) {
        *bytes = 0;
        return HARDEN_INTERIOR;
    }
    unsigned record = hslab_record(slab, slot);
    *bytes = hslab_bytes_in(slab, record);
    if (hslab_slot(slab, slot) != ptr) {
        return HARDEN_INTERIOR;
    }
    return (record & RECORD_USED) != 0 ? HARDEN_IN_USE : HARDEN_FREED;
}

// ---- free ----

// Clears everything that was written: the block, its canary, the last word.
static void make_zero(const struct hslab *slab, char *ptr, size_t bytes)
{
    ASSERT(bytes <= slab->slot_bytes);
    size_t slot_bytes = slab->slot_bytes;
    if (LIKELY(slot_bytes <= SMALL_BYTES_MAX)) {
        slot_clear_small(ptr, slot_bytes);
        return;
    }
    memset(ptr, 0, min_size(slot_bytes, bytes + canary_most(slot_bytes)));
    memset(ptr + slot_bytes - CANARY_BYTES, 0, CANARY_BYTES);
}

static inline void end_block(struct hslab *slab, unsigned slot, const void *caller)
{
    unsigned record = hslab_record(slab, slot);
    char *ptr = hslab_slot(slab, slot);
    if (LIKELY(slab->sc != HSLAB_EMPTY_CLASS)) {
        size_t bytes = hslab_bytes_in(slab, record);
        check_canary(slab, ptr, record, caller);
        check_before(slab, slot, ptr, bytes, caller);
        if (UNLIKELY(g_harden.checks_all) || UNLIKELY(slab->slot_bytes > SMALL_BYTES_MAX)) {
            check_neighbours(slab, slot, bytes, caller);
        }
        make_zero(slab, ptr, bytes);
    }
    hslab_set_free(&slab->records[slot], record);
}

void harden_free(struct hcache *cache, struct hslab *slab, unsigned slot, const void *caller)
{
    ASSERT(slot >= slab->first);
    ASSERT(slot < slab->slots);
    ASSERT(cache == NULL || lock_is_mine(&cache->lock));
    uint64_t word = hslab_word(hslab_slot(slab, slot), slot);
    unsigned sc = slab->sc;
    end_block(slab, slot, caller);
    if (UNLIKELY(cache == NULL)) { // no memory for a cache
        hslab_free(sc, &word, 1, caller);
        return;
    }
    struct hcache_bin *bin = &cache->bins[sc];
    uint64_t displaced = quarantine(bin, word);
    if (LIKELY(sc != HSLAB_EMPTY_CLASS)) {
        cache->last = hslab_ptr_of_word(word);
    }
    if (LIKELY(displaced != 0)) {
        put(bin, sc, displaced, caller);
    }
}

// ---- resize ----

bool harden_resize(struct hslab *slab, void *ptr, size_t bytes, const void *caller)
{
    ASSERT(thread_is_inside());
    ASSERT(bytes < g_harden.alone_bytes);
    size_t slot_bytes = slab->slot_bytes;
    unsigned slot = hslab_slot_of(slab, ptr);
    unsigned record = hslab_record(slab, slot);
    size_t old_bytes = hslab_bytes_in(slab, record);
    if (slab->sc == HSLAB_EMPTY_CLASS || bytes + CANARY_BYTES > slot_bytes || bytes < old_bytes) {
        return false;
    }
    check_canary(slab, ptr, record, caller);
    size_t kept = min_size(old_bytes, bytes);
    size_t end = min_size(slot_bytes, old_bytes + canary_most(slot_bytes));
    memset((char *)ptr + kept, 0, end - kept);
    begin_block(slab, hslab_word(ptr, slot), slot_bytes, bytes);
    return true;
}

// ---- choice of the cache ----

static struct hcache *get_or_make(size_t index)
{
    ASSERT(index < HCACHES);
    struct hcache *cache = hcache_at(index);
    if (LIKELY(cache != NULL)) {
        return cache;
    }
    struct hcache *made = create();
    if (made != NULL &&
        !atomic_compare_exchange_strong_explicit(&g_hcaches[index], &cache, made,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        os_unmap(made, made->mapped_bytes); // another thread was first
        return cache;
    }
    return made;
}

// The cache of another CPU, when there is no memory for this one's.
static struct hcache *any_cache(void)
{
    struct hcache *cache = NULL;
    for (unsigned i = 0; i < HCACHES && cache == NULL; i++) {
        cache = hcache_at(i);
    }
    return cache;
}

struct hcache *harden_acquire(void) UNCHECKED_LOCKS
{
    ASSERT(g_harden.is_on);
    ASSERT(thread_is_inside());
    if (UNLIKELY(!t_thread.is_bound)) {
        slot_open(); // requests do not use the slot, but its number selects the cache
    }
    size_t index = hcache_first_index();
    struct hcache *cache = get_or_make(index);
    cache = cache != NULL ? cache : any_cache();
    if (cache == NULL || lock_try_acquire(&cache->lock)) {
        return cache;
    }
    struct hcache *next = get_or_make((index + 1) % HCACHES);
    cache = next != NULL && next != cache ? next : cache;
    lock_acquire(&cache->lock);
    return cache;
}

void harden_release(struct hcache *cache) UNCHECKED_LOCKS
{
    ASSERT(lock_is_mine(&cache->lock));
    lock_release(&cache->lock);
}

void harden_flush(void)
{
    for (unsigned i = 0; i < HCACHES; i++) {
        struct hcache *cache = hcache_at(i);
        if (cache != NULL) {
            lock_acquire(&cache->lock);
            flush(cache);
            lock_release(&cache->lock);
        }
    }
}

void harden_each_lock(lock_visitor *visit)
{
    for (unsigned i = 0; i < HCACHES; i++) {
        struct hcache *cache = hcache_at(i);
        if (cache != NULL) {
            visit(&cache->lock);
        }
    }
}
