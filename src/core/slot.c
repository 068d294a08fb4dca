/* slot.c - binds threads to slots, and walks or closes all slots.
 *
 * Owns:       the table of slots, the slots that threads own, the count of an empty list.
 * Threads:    any; slot_start by start_once().
 * Locks:      LOCK_SLOTS to open a slot, for the list of owned slots, and while all are kept out.
 * Invariants: SLOT-1  an open slot holds valid list words of this process; before, limits are 0.
 *             SLOT-2  an owned slot is used by one thread, or unused: then it is empty, but for
 *                     the child of a fork.
 *
 * The empty slot is at index -1, the id in a dummy area. To keep all threads out, g_slots.first
 * points for a while to a table in which all slots are like the empty one, and the kernel restarts
 * the sequences that began before [membarrier(2)].
 */
#include "core/slot.h"

#include "base/check.h"
#include "base/lock.h"
#include "base/meta_alloc.h"
#include "base/os.h"
#include "base/tables.h"
#include "core/depot.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>

// Destructors of other libraries still allocate and free in earlier rounds: wait for the last two.
#define EXIT_ROUNDS_SKIPPED (PTHREAD_DESTRUCTOR_ITERATIONS - 2)
// Address space only: a slot takes memory once it is opened. Less than 2 MiB, so that the first one
// does not fault in a huge page.
#define SLOTS_MAX    1000UL
#define CLOSED_PLACE 5 // of os_hole_address
#define LIST_END_MAX (UINT16_MAX - LIST_BLOCKS_MAX)

// glibc 2.35 and later: offset of each thread's area from its thread pointer.
// NOLINTBEGIN(readability-identifier-naming): the names are glibc's
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));
// NOLINTEND(readability-identifier-naming)

extern char __libc_single_threaded __attribute__((weak)); // NOLINT: glibc's name, 2.32

uint16_t g_list_end = LIST_END_FIRST;

static struct slot g_empty; // never written to

struct slots g_slots = {
    .first =
        (char *)&g_empty + SLOT_BYTES, // the slot before it is g_empty; no other one is accessed
};

static struct {
    struct lock lock;
    enum slot_kind kind;         // [const] after the start
    _Atomic(bool) misses_always; // [atomic] no fast path uses the area of its thread
    size_t count;                // [const] slots of CPUs
    _Atomic(size_t) opened;      // [atomic] slots of CPUs below this index may be open
    char *first;                 // [const] slot 0
    char *closed; // [lock: LOCK_SLOTS] a table that is never written to; NULL: not needed yet
    _Atomic(struct slot *) owned; // [atomic] list of every slot ever owned by a thread
    struct slot *unused;          // [lock: LOCK_SLOTS] list of those without a thread
    bool has_key;                 // [lock: LOCK_SLOTS]
    pthread_key_t key;            // its destructor runs at the exit of a thread that owns a slot
} g_slot = {.lock = LOCK_INIT(LOCK_SLOTS)};

TABLE(slots, .id = MYALLOC_TABLE_SLOTS, .address = &g_slot, .second = &g_list_end,
      .bytes = sizeof g_slot, .count = 1,
      .fields = {offsetof(__typeof__(g_slot), first), offsetof(__typeof__(g_slot), opened),
                 offsetof(__typeof__(g_slot), owned)});

// ---- start ----

static enum slot_kind best_kind(enum slot_kind asked)
{
    ASSERT(asked <= SLOT_BY_THREAD);
    size_t bytes = &__rseq_size != NULL ? __rseq_size : 0;
    if (!CONFIG_RSEQ || bytes == 0 || asked == SLOT_BY_THREAD) {
        return SLOT_BY_THREAD;
    }
    size_t features = os_auxval(AT_RSEQ_FEATURE_SIZE);
    bool has_cid = features >= RSEQ_MM_CID_OFFSET + sizeof(uint32_t);
    return has_cid && asked != SLOT_BY_CPU ? SLOT_BY_CID : SLOT_BY_CPU;
}

// Slot 0 of a new table; the place before it is for threads that are not registered.
static char *make_table(void *hint)
{
    ASSERT(g_slot.count != 0);
    char *table = os_map(hint, align_up((g_slot.count + 1) * SLOT_BYTES, os_page_bytes()));
    return table != NULL ? table + SLOT_BYTES : NULL;
}

// Maps the closed table if there is none. Far from the other one: two that touch could get a huge
// page.
static void make_closed_locked(void)
{
    ASSERT(g_slot.first != NULL);
    if (g_slot.closed == NULL) {
        g_slot.closed = make_table(os_hole_address(CLOSED_PLACE));
    }
}

bool slot_start(enum slot_kind asked)
{
    g_list_end = (uint16_t)(LIST_END_FIRST + os_random() % (LIST_END_MAX - LIST_END_FIRST));
    ASSERT(g_list_end <= UINT16_MAX - LIST_BLOCKS_MAX); // no count wraps
    g_slot.kind = best_kind(asked);
    if (g_slot.kind == SLOT_BY_THREAD) {
        return true;
    }
    g_slot.count = SLOTS_MAX;
    g_slot.first = make_table(NULL);
    if (g_slot.first == NULL) {
        return false;
    }
    if (g_slot.kind == SLOT_BY_CPU) { // a thread that migrates need not open another slot
        make_closed_locked();
    }
    g_slots.id_offset = g_slot.kind == SLOT_BY_CID ? RSEQ_MM_CID_OFFSET : RSEQ_CPU_ID_OFFSET;
    ASSERT(g_slots.id_offset != 0);
    __atomic_store_n(&g_slots.first, g_slot.first, __ATOMIC_RELEASE);
    return true;
}

enum slot_kind slot_kind(void)
{
    return g_slot.kind;
}

void slot_miss_always(void)
{
    atomic_store_explicit(&g_slot.misses_always, true, memory_order_relaxed);
    t_thread.fast_area = t_thread.dummy;
}

// ---- opening ----

static void fill_empty(struct slot *slot)
{
    ASSERT(slot != &g_empty);
    ASSERT(!slot->is_open); // SLOT-1: the lists in it would be lost
    for (unsigned bin = 0; bin < SLOT_BINS; bin++) {
        slot_set(&slot->loaded[bin], list_empty()); // SLOT-1
        slot_set(&slot->spare[bin], list_empty());
    }
    // release: pairs with the acquire in slot_is_open
    atomic_store_explicit(&slot->is_open, true, memory_order_release);
}

// ---- slots that threads own ----

static bool is_of_cpu(const struct slot *slot)
{
    return (size_t)((const char *)slot - g_slot.first) < g_slot.count * SLOT_BYTES;
}

static void thread_exit(void *unused)
{
    (void)unused;
    if (t_thread.exit_rounds++ < EXIT_ROUNDS_SKIPPED) {
        pthread_setspecific(g_slot.key, &t_thread);
        return;
    }
    struct slot *own = t_thread.own;
    ASSERT(own != NULL);
    ASSERT(own->is_open);
    bool was_inside = thread_enter_bare();
    t_thread.is_dead = true;
    t_thread.own = NULL;
    depot_drain_slot(own);
    ASSERT(list_is_empty(own->loaded[slot_bin(0)])); // SLOT-2
    ASSERT(list_is_empty(own->spare[slot_bin(0)]));  // SLOT-2
    lock_acquire(&g_slot.lock);
    own->next_unused = g_slot.unused;
    g_slot.unused = own; // SLOT-2
    lock_release(&g_slot.lock);
    thread_leave_bare(was_inside);
}

static struct slot *make_own(void)
{
    struct slot *own = meta_alloc(sizeof *own);
    if (own != NULL) {
        fill_empty(own);
        own->next = atomic_load_explicit(&g_slot.owned, memory_order_relaxed);
        atomic_store_explicit(&g_slot.owned, own, memory_order_release); // after its words
    }
    return own;
}

static struct slot *take_own(void)
{
    lock_acquire(&g_slot.lock);
    if (!g_slot.has_key) {
        g_slot.has_key = pthread_key_create(&g_slot.key, thread_exit) == 0;
    }
    struct slot *own = g_slot.unused;
    if (own != NULL) {
        ASSERT(own->is_open);
        g_slot.unused = own->next_unused;
    } else {
        own = make_own();
    }
    lock_release(&g_slot.lock);
    return own;
}

void slot_watch_exit(void)
{
    ASSERT(!thread_is_interrupted());
    t_thread.watches_exit = false;
    if (g_slot.has_key) {
        pthread_setspecific(g_slot.key, &t_thread);
    }
}

size_t slot_number(const struct slot *slot)
{
    ASSERT(slot != NULL);
    if (is_of_cpu(slot)) {
        return (size_t)((const char *)slot - g_slot.first) / SLOT_BYTES;
    }
    size_t number = 0;
    for (slot = slot->next; slot != NULL; slot = slot->next) {
        number++; // counts those made before it
    }
    return number;
}

// ---- binding a thread to its slot ----

// The rseq area of this thread; NULL: it is not registered with the kernel.
static char *find_area(void)
{
    if (g_slot.kind == SLOT_BY_THREAD) {
        return NULL;
    }
    char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
    int32_t cpu = *(const volatile int32_t *)(const void *)(area + RSEQ_CPU_ID_OFFSET);
    ASSERT((uintptr_t)area % RSEQ_AREA_BYTES == 0);
    return cpu >= 0 && (size_t)cpu < SLOTS_MAX ? area : NULL;
}

static void bind(void)
{
    ASSERT(!t_thread.is_bound);
    bool misses = atomic_load_explicit(&g_slot.misses_always, memory_order_relaxed);
    t_thread.area = find_area(); // THREAD-1
    t_thread.fast_area = t_thread.area != NULL && !misses ? t_thread.area : t_thread.dummy;
    if (t_thread.area == NULL && t_thread.own == NULL && !t_thread.is_dead) {
        t_thread.own = take_own();
        t_thread.watches_exit = t_thread.own != NULL;
    }
    t_thread.is_bound = true;
}

static void count_opened_locked(const struct slot *slot)
{
    size_t end = (size_t)((const char *)slot - g_slot.first) / SLOT_BYTES + 1;
    size_t opened = atomic_load_explicit(&g_slot.opened, memory_order_relaxed);
    ASSERT(end <= g_slot.count);
    ASSERT(opened <= g_slot.count);
    atomic_store_explicit(&g_slot.opened, max_size(end, opened), memory_order_relaxed);
    if (end > 1) {
        make_closed_locked(); // before memory is short, when it is needed
    }
    if (g_slot.kind == SLOT_BY_CPU) {
        depot_set_slots(max_size(end, opened));
    }
}

bool slot_open(void)
{
    if (!t_thread.is_bound) {
        bind();
    }
    char *area = t_thread.area; // a vfork in a signal handler clears it
    if (area == NULL) {
        return t_thread.own != NULL;
    }
    lock_acquire(&g_slot.lock); // no slot_keep_out() meanwhile
    struct slot *slot = rseq_slot(area);
    if (!is_of_cpu(slot)) { // the program has unregistered its area
        lock_release(&g_slot.lock);
        t_thread.area = NULL; // THREAD-1
        t_thread.is_bound = false;
        return false;
    }
    if (!atomic_load_explicit(&slot->is_open, memory_order_relaxed)) {
        fill_empty(slot);
        count_opened_locked(slot);
    }
    lock_release(&g_slot.lock);
    return true;
}

// ---- all slots ----

struct slot *slot_next_of_cpu(const struct slot *slot)
{
    ASSERT(slot == NULL || is_of_cpu(slot));
    size_t at = slot == NULL ? 0 : (size_t)((const char *)slot - g_slot.first) + SLOT_BYTES;
    size_t end = atomic_load_explicit(&g_slot.opened, memory_order_relaxed) * SLOT_BYTES;
    ASSERT(end <= g_slot.count * SLOT_BYTES);
    for (; at < end; at += SLOT_BYTES) {
        struct slot *found = (struct slot *)(void *)(g_slot.first + at);
        // acquire: pairs with the release in fill_empty
        if (atomic_load_explicit(&found->is_open, memory_order_acquire)) {
            return found;
        }
    }
    return NULL;
}

struct slot *slot_next(const struct slot *slot)
{
    if (slot != NULL && !is_of_cpu(slot)) {
        return slot->next;
    }
    struct slot *found = slot_next_of_cpu(slot);
    // acquire: pairs with the release in make_own
    return found != NULL ? found : atomic_load_explicit(&g_slot.owned, memory_order_acquire);
}

void slot_count_handed(struct slot *slot, size_t bin)
{
    ASSERT(bin < SLOT_BINS);
    slot_count *handed = atomic_load_explicit(&slot->handed, memory_order_acquire);
    if (UNLIKELY(handed == NULL)) {
        lock_acquire(&g_slot.lock);
        handed = atomic_load_explicit(&slot->handed, memory_order_relaxed);
        if (handed == NULL) {
            handed = meta_alloc(SLOT_BINS * sizeof *handed);
            // release: pairs with the acquire in slot_handed
            atomic_store_explicit(&slot->handed, handed, memory_order_release);
        }
        lock_release(&g_slot.lock);
    }
    if (LIKELY(handed != NULL)) {
        atomic_fetch_add_explicit(&handed[bin], 1, memory_order_relaxed);
    }
}

// True if a slot of a CPU is open, other than that of the CPU where the thread seems to run.
static bool has_others(void)
{
    const struct slot *own = slot_hint();
    const struct slot *first = slot_next_of_cpu(NULL);
    ASSERT(first == NULL || is_of_cpu(first));
    return first != NULL && (first != own || slot_next_of_cpu(first) != NULL);
}

bool slot_is_alone(void)
{
    return &__libc_single_threaded != NULL && __libc_single_threaded != 0;
}

bool slot_keep_out(void) UNCHECKED_LOCKS
{
    if (!has_others()) {
        return false;
    }
    ASSERT(g_slot.kind != SLOT_BY_THREAD);
    lock_acquire(&g_slot.lock);
    make_closed_locked();
    if (g_slot.closed != NULL) {
        __atomic_store_n(&g_slots.first, g_slot.closed, __ATOMIC_SEQ_CST);
        if (slot_is_alone() || os_restart_sequences()) {
            return true;
        }
        __atomic_store_n(&g_slots.first, g_slot.first, __ATOMIC_SEQ_CST);
    }
    lock_release(&g_slot.lock);
    return false;
}

void slot_let_in(void) UNCHECKED_LOCKS
{
    ASSERT(g_slots.first == g_slot.closed);
    // release: whoever finds a list sees what was written to its blocks
    __atomic_store_n(&g_slots.first, g_slot.first, __ATOMIC_RELEASE);
    lock_release(&g_slot.lock);
}

void slot_each_lock(lock_visitor *visit)
{
    visit(&g_slot.lock);
}

// The forking thread, now the only one, was not kept out. Slots that other threads owned are empty,
// or keep their magazines for the next thread that gets them.
void slot_postfork_child(void)
{
    if (g_slot.first != NULL) {
        g_slots.first = g_slot.first;
    }
    for (struct slot *own = atomic_load_explicit(&g_slot.owned, memory_order_relaxed); own != NULL;
         own = own->next) {
        own->next_unused = NULL;
    }
    g_slot.unused = NULL;
    for (struct slot *own = atomic_load_explicit(&g_slot.owned, memory_order_relaxed); own != NULL;
         own = own->next) {
        ASSERT(own->is_open);
        if (own != t_thread.own) {
            own->next_unused = g_slot.unused;
            g_slot.unused = own;
        }
    }
}
