/* test_slot.c - which slot a thread uses: its words, its limits, and how everybody is kept out. */
#include "core/slot.h"
#include "core/depot.h"
#include "core/depot_look.h"
#include "base/lock.h"
#include "pages/page_heap.h"
#include "pages/span.h"
#include "support/affinity.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 40, CLASS = 4, TRIES = 1000 };

static _Alignas(16) char g_memory[BLOCKS][16];

/* A thread that stays where it is: else its slot changes between two lines of a test. */
static void start_as(enum slot_kind kind)
{
    cr_assert(stay_on_this_cpu());
    cr_assert(span_start(true));
    cr_assert(slot_start(kind));
}

/* An aborted sequence is told as a miss: a preemption must not fail a test. */
static bool exchange(size_t at, list_word list, list_word *old)
{
    for (unsigned i = 0; i < TRIES; i++) {
        if (slot_exchange(at, list, old)) {
            return true;
        }
    }
    return false;
}

static bool push(unsigned sc, void *block)
{
    for (unsigned i = 0; i < TRIES; i++) {
        if (slot_push(sc, block)) {
            return true;
        }
    }
    return false;
}

static void *pop(unsigned sc)
{
    void *block = NULL;
    for (unsigned i = 0; i < TRIES && block == NULL; i++) {
        block = slot_pop(sc);
    }
    return block;
}

static void set_limit(unsigned sc, unsigned blocks)
{
    atomic_store(&slot_hint()->limit[slot_bin(sc)], (uint16_t)(g_list_end + blocks));
}

static list_word list_of(unsigned count)
{
    list_word list = list_empty();
    for (unsigned i = 0; i < count; i++) {
        list = list_push(list, g_memory[i]);
    }
    return list;
}

/* What was never a list must not be taken for one, by any of the three. */
static void check_closed(void)
{
    list_word old = 4711;
    cr_assert_not(slot_is_open());
    cr_assert_null(pop(CLASS));
    cr_assert_not(push(CLASS, g_memory[0]));
    cr_assert_not(exchange(slot_loaded_at(CLASS), list_of(3), &old));
    cr_assert_eq(old, 4711);
}

/* All that a slot does, whoever owns it. */
static void check_words(void)
{
    list_word old = 0;
    cr_assert(slot_open());
    cr_assert(slot_is_open());
    cr_assert_null(slot_pop(CLASS));
    cr_assert_not(slot_push(CLASS, g_memory[0])); // no limit yet

    cr_assert(exchange(slot_loaded_at(CLASS), list_of(3), &old));
    cr_assert_eq(old, list_empty());
    cr_assert(exchange(slot_spare_at(CLASS), list_of(2), &old));
    cr_assert_eq(old, list_empty());
    cr_assert(exchange(slot_spare_at(CLASS), list_empty(), &old));
    cr_assert_eq(old, list_of(2));
    list_of(3);
    for (unsigned i = 3; i-- > 0;) {
        cr_assert_eq(pop(CLASS), g_memory[i]);
    }
    cr_assert_null(pop(CLASS));
}

/* One block too many would let a magazine grow without an end. */
static void check_limit(void)
{
    list_word old = 0;
    cr_assert(slot_open());
    set_limit(CLASS, 5);
    for (unsigned i = 0; i < 5; i++) {
        cr_assert(push(CLASS, g_memory[i]));
    }
    cr_assert_not(push(CLASS, g_memory[5]));
    cr_assert_not(push(CLASS + 1, g_memory[5])); // its neighbours have none
    cr_assert_not(push(CLASS - 1, g_memory[5]));
    cr_assert_eq(pop(CLASS), g_memory[4]);
    cr_assert(push(CLASS, g_memory[4]));
    cr_assert_not(push(CLASS, g_memory[5]));
    cr_assert(exchange(slot_loaded_at(CLASS), list_empty(), &old));
    cr_assert_eq(list_count(old), 5);
    cr_assert(list_is_sound(old));
}

/* A block with a broken link must not be handed out, nor the link be followed. */
static void check_broken_link(void)
{
    list_word old = 0;
    cr_assert(slot_open());
    cr_assert(exchange(slot_loaded_at(CLASS), list_of(3), &old));
    list_set_link(g_memory[2], 0);
    cr_assert_null(pop(CLASS));
    cr_assert(exchange(slot_loaded_at(CLASS), list_empty(), &old));
    cr_assert_eq(list_first(old), g_memory[2]);
}

static void check_kind(enum slot_kind kind)
{
    start_as(kind);
    check_closed();
    check_words();
    check_limit();
    check_broken_link();
}

Test(slot, by_concurrency_id_words_and_limits_hold)
{
    check_kind(SLOT_BY_CID);
}

Test(slot, by_cpu_words_and_limits_hold)
{
    check_kind(SLOT_BY_CPU);
}

Test(slot, by_thread_words_and_limits_hold)
{
    check_kind(SLOT_BY_THREAD);
    cr_assert_null(t_thread.area);
    cr_assert_not_null(t_thread.own);
}

/* The kernel says what there is; asked for less, no more is taken. */
Test(slot, the_kind_is_as_asked_where_the_kernel_has_it)
{
    start_as(SLOT_AUTO);
    enum slot_kind best = slot_kind();
    cr_assert(best == SLOT_BY_CID || best == SLOT_BY_CPU || best == SLOT_BY_THREAD);
    cr_assert(slot_start(SLOT_BY_CPU));
    cr_assert(best == SLOT_BY_THREAD || slot_kind() == SLOT_BY_CPU);
    cr_assert(slot_start(SLOT_BY_THREAD));
    cr_assert_eq(slot_kind(), SLOT_BY_THREAD);
    cr_assert(slot_start(SLOT_BY_CID));
    cr_assert_eq(slot_kind(), best);
}

/* The fast paths have no test for it: the dummy area selects a slot that gives and takes nothing.
 */
Test(slot, a_thread_that_was_not_bound_misses)
{
    start_as(SLOT_AUTO);
    list_word old;
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        cr_assert_null(rseq_pop_class(t_thread.fast_area, sc));
        cr_assert_not(rseq_push(t_thread.fast_area, slot_bin(sc), g_memory[0]));
    }
    cr_assert_not(rseq_exchange(t_thread.fast_area, slot_loaded_at(0), list_of(1), &old));
}

/* Bin 0 is of what is no slab: a free of it must reach the slow path. */
Test(slot, the_bin_of_no_slab_takes_nothing)
{
    start_as(SLOT_AUTO);
    cr_assert(slot_open());
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        set_limit(sc, 100);
    }
    cr_assert(t_thread.area == NULL || !rseq_push(t_thread.area, 0, g_memory[0]));
}

/* A mode that wants to see each request; slow paths go on as before. */
Test(slot, who_misses_always_misses_in_the_fast_paths_only)
{
    start_as(SLOT_AUTO);
    list_word old;
    slot_miss_always();
    cr_assert(slot_open());
    cr_assert(exchange(slot_loaded_at(CLASS), list_of(2), &old));
    cr_assert_null(rseq_pop_class(t_thread.fast_area, CLASS));
    cr_assert_eq(pop(CLASS), g_memory[1]);
}

/* ---- keeping out ---- */

/* Opens the slots of two CPUs; false: there are no two, or none at all. */
static bool open_two(void)
{
    int open = 0;
    start_as(SLOT_BY_CPU);
    for (int cpu = 64; cpu-- > 0;) {
        open += open < 2 && run_on_cpu(cpu) && slot_open() && t_thread.area != NULL;
    }
    return open == 2;
}

/* What the others of a CPU do meanwhile must miss: their lists are worked on by plain stores. */
Test(slot, who_is_kept_out_misses_until_let_in)
{
    list_word old = 0;
    if (!open_two()) {
        return;
    }
    set_limit(CLASS, 10);
    cr_assert(exchange(slot_loaded_at(CLASS), list_of(3), &old));
    if (!slot_keep_out()) {
        return; // refused by the kernel
    }
    old = 4711;
    cr_assert_null(pop(CLASS));
    cr_assert_not(push(CLASS, g_memory[9]));
    cr_assert_not(exchange(slot_loaded_at(CLASS), list_empty(), &old));
    cr_assert_eq(old, 4711);
    unsigned found = 0;
    for (struct slot *slot = slot_next_of_cpu(NULL); slot != NULL; slot = slot_next_of_cpu(slot)) {
        found += list_count(slot->loaded[slot_bin(CLASS)]);
    }
    cr_assert_eq(found, 3);
    slot_let_in();
    cr_assert_eq(pop(CLASS), g_memory[2]);
    cr_assert(push(CLASS, g_memory[2]));
}

/* A program with one slot needs no help of the kernel, which a sandbox may kill for. */
Test(slot, with_no_other_slot_nobody_is_kept_out)
{
    start_as(SLOT_AUTO);
    cr_assert(slot_open());
    cr_assert_not(slot_keep_out());
    cr_assert(slot_open()); // no lock was left
}

/* A walk and the statistics would miss blocks, or count them twice. */
Test(slot, a_look_at_all_slots_sees_each_once)
{
    if (!open_two()) {
        return;
    }
    const struct slot *first = slot_next(NULL);
    const struct slot *second = slot_next(first);
    cr_assert_not_null(first);
    cr_assert_not_null(second);
    cr_assert_neq(first, second);
    cr_assert_null(slot_next(second));
    cr_assert(slot_hint() == first || slot_hint() == second);
}

/* ---- threads that own slots ---- */

/* Of a long-running server: the count passes 32 bits like any other number. */
Test(slot, blocks_handed_out_are_counted_beyond_32_bits)
{
    start_as(SLOT_AUTO);
    cr_assert(slot_open());
    struct slot *slot = slot_hint();
    const uint64_t near[] = {INT32_MAX, UINT32_MAX};
    for (size_t i = 0; i < 2; i++) {
        slot_count_handed(slot, 5);
        atomic_store(&atomic_load(&slot->handed)[5], near[i] - 1);
        for (uint64_t k = 0; k < 4; k++) {
            cr_assert_eq(slot_handed(slot, 5), near[i] - 1 + k);
            slot_count_handed(slot, 5);
        }
        cr_assert_eq(slot_handed(slot, 4), 0);
    }
}

static void *open_and_fill(void *unused)
{
    (void)unused;
    list_word old;
    bool was_inside = thread_enter_bare();
    cr_assert(slot_open());
    cr_assert(slot_exchange(slot_loaded_at(CLASS), depot_fetch(CLASS).list, &old));
    cr_assert(slot_exchange(slot_spare_at(CLASS), depot_fetch(CLASS).list, &old));
    thread_leave_bare(was_inside);
    slot_watch_exit();
    return t_thread.own;
}

static struct slot *in_thread(void)
{
    pthread_t thread;
    void *own = NULL;
    cr_assert_eq(pthread_create(&thread, NULL, open_and_fill, NULL), 0);
    cr_assert_eq(pthread_join(thread, &own), 0);
    return own;
}

/* Else each thread that ever ran would keep its memory. */
Test(slot, an_owned_slot_is_empty_after_the_exit_of_its_thread_and_used_again)
{
    start_as(SLOT_BY_THREAD);
    struct slot *first = in_thread();
    cr_assert_not_null(first);
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        cr_assert_eq(first->loaded[slot_bin(sc)], list_empty());
        cr_assert_eq(first->spare[slot_bin(sc)], list_empty());
    }
    depot_trim(false);
    cr_assert_eq(depot_counts(CLASS).slabs, 0);
    for (unsigned i = 0; i < 20; i++) {
        cr_assert_eq(in_thread(), first);
    }
    cr_assert_eq(slot_next(NULL), first);
    cr_assert_null(slot_next(first));
}

/* Two owners of one slot of plain loads and stores would give one block out twice. */
Test(slot, threads_at_the_same_time_own_different_slots)
{
    start_as(SLOT_BY_THREAD);
    cr_assert(slot_open());
    struct slot *own = t_thread.own;
    struct slot *other = in_thread();
    cr_assert_neq(other, own);
    cr_assert(slot_open());
    cr_assert_eq(t_thread.own, own);
}

static pthread_barrier_t g_barrier;

static void *open_and_wait(void *unused)
{
    cr_assert(slot_open());
    pthread_barrier_wait(&g_barrier);
    pause();
    return unused;
}

static void acquire(struct lock *lock)
{
    lock_acquire_for_fork(lock);
}

/* The other threads of the parent do not live on in the child: their slots are for its new ones. */
Test(slot, the_child_of_a_fork_uses_the_slots_of_threads_that_it_has_not)
{
    pthread_t thread;
    int status = 0;
    start_as(SLOT_BY_THREAD);
    cr_assert(slot_open());
    pthread_barrier_init(&g_barrier, NULL, 2);
    cr_assert_eq(pthread_create(&thread, NULL, open_and_wait, NULL), 0);
    pthread_barrier_wait(&g_barrier);
    lock_begin_fork(false);
    slot_each_lock(acquire);
    pid_t child = fork();
    if (child == 0) {
        slot_each_lock(lock_reset_after_fork);
        slot_postfork_child();
        const struct slot *own = t_thread.own;
        const struct slot *other = in_thread();
        bool is_known = other == slot_next(NULL) || other == slot_next(slot_next(NULL));
        _exit(is_known && other != own ? 0 : 1);
    }
    slot_each_lock(lock_release_after_fork);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
}
