/* protocols.c - locks, depot, slabs and slots in every interleaving: the real code of base/lock.c
 * and core/ with two or three threads, in the world of world.h.
 */
#include "base/lock.h"
#include "core/cpu_cache.h"
#include "core/depot.h"
#include "core/depot_look.h"
#include "core/slab.h"
#include "core/slot.h"
#include "model/world.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// ---- what threads do ----

static void take(void)
{
    list_word list = depot_fetch(g_class).list;
    while (!list_is_empty(list)) {
        void *block = list_first(list);
        REQUIRE(list_is_sound(list));
        list = list_link(block);
        hand_put(hand_mine(), block);
    }
}

static void give(unsigned count)
{
    depot_return(g_class, hand_list(hand_mine(), count));
}

static void give_one(void)
{
    give(1);
}

static void give_two(void)
{
    give(2);
}

static void give_all(void)
{
    give(HELD_MAX);
}

static void give_one_by_one(void)
{
    while (hand_mine()->count != 0) {
        give(1);
    }
}

static void take_two_and_give(void)
{
    take();
    take();
    give_all();
}

static void take_and_give(void)
{
    take();
    give_one();
}

static void sweep(void)
{
    depot_sweep(g_class);
}

static void sweep_twice(void)
{
    depot_sweep(g_class);
    depot_sweep(g_class);
}

static void trim(void)
{
    depot_trim(false);
}

static void trim_pages(void)
{
    depot_trim(true);
}

static void purge_first_slab(void)
{
    depot_purge_slab(page_map_entry(1), g_class, BLOCKS - 1);
}

static void cache_take(void)
{
    bool is_clean = false;
    void *block = cpu_cache_allocate(g_class, &is_clean);
    slot_watch_exit();
    if (block != NULL) {
        REQUIRE(!is_clean || list_link(block) == 0);
        hand_put(hand_mine(), block);
    }
}

static void cache_give(void)
{
    void *block = hand_get(hand_mine());
    if (block != NULL && !slot_push(g_class, block)) {
        cpu_cache_free(g_class, block);
    }
    slot_watch_exit();
}

static void check_end(void)
{
    world_require_places(true);
    depot_check();
    world_end();
}

// ---- the depot and its slabs ----

static void set_up_small(void)
{
    world_begin(SMALL, SLOT_BY_THREAD);
}

/* Two blocks with each thread, of two slabs. */
static void set_up_small_held(void)
{
    set_up_small();
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        world_fill(i, 2);
    }
}

/* Two magazines in the depot, of which a sweep would take none, and two blocks with the first
 * thread. */
static void set_up_magazines(void)
{
    set_up_small();
    world_fill(0, 4);
    world_fill(1, 1);
    world_fill(2, 2);
    depot_return(g_class, hand_list(&g_hands[0], 2));
    depot_return(g_class, hand_list(&g_hands[2], 2));
    depot_return(g_class, hand_list(&g_hands[1], 1)); // onto the newest
}

static void set_up_one_slab(void)
{
    set_up_small();
    g_slabs_max = 1;
    world_fill(0, 2);
}

/* All blocks of a slab are out: with the first thread three, with the second one the last. */
static void set_up_last_blocks(void)
{
    world_begin(LARGE, SLOT_BY_THREAD);
    world_fill(0, 3);
    world_fill(1, 1);
}

/* Two slabs of a class that has many from two on. */
static void set_up_edge(void)
{
    world_begin(EDGE, SLOT_BY_THREAD);
    world_fill(0, 4);
    world_fill(1, 3);
}

/* Of the first slab three blocks are home or soon will be. */
static void set_up_purge(void)
{
    world_begin(LARGE, SLOT_BY_THREAD);
    g_slabs_max = 1;
    world_fill(0, 1);
    world_fill(1, 1);
    world_fill(2, 2);
    depot_return(g_class, hand_list(&g_hands[2], 1));
}

static void give_two_and_take(void)
{
    give_two();
    take();
}

// ---- slots that threads own ----

static void own_take_and_give(void)
{
    cache_take();
    cache_take();
    cache_give();
    cache_give();
}

static void own_take_and_exit(void)
{
    cache_take();
    cache_take();
    cache_give();
    world_exit_thread();
    cache_give(); // as a destructor of another library
}

/* One after the other, with the same stack. */
static void own_two_threads(void)
{
    cache_give();
    world_exit_thread();
    t_thread = (struct thread){.fast_area = NULL};
    cache_give();
    world_exit_thread();
}

static void check_slots(void)
{
    unsigned count = 0;
    for (struct slot *slot = slot_next(NULL); slot != NULL; slot = slot_next(slot)) {
        REQUIRE(list_is_empty(slot->loaded[slot_bin(g_class)])); // SLOT-2
        REQUIRE(list_is_empty(slot->spare[slot_bin(g_class)]));
        count++;
    }
    REQUIRE(count <= 2);
    check_end();
}

static void own_start_late(void)
{
    cache_take();
    cache_give();
    world_exit_thread();
}

static void set_up_own_edge(void)
{
    set_up_edge();
}

static void own_give_all(void)
{
    while (hand_mine()->count != 0) {
        cache_give();
    }
}

// ---- slots of CPUs ----

static void set_up_cpu(void)
{
    world_begin(SMALL, SLOT_BY_CPU);
}

/* The slot is open, its frees are no longer looked at, and it holds one block at most. */
static void set_up_cpu_warm(void)
{
    set_up_cpu();
    REQUIRE(slot_open());
    for (struct slot *slot = slot_next(NULL); slot != NULL; slot = slot_next(slot)) {
        slot->early[slot_bin(SMALL)] = 32;
        slot->limit[slot_bin(SMALL)] = (uint16_t)(g_list_end + 1);
    }
    world_fill(0, 2);
    world_fill(1, 2);
}

static void open_and_push(void)
{
    REQUIRE(slot_open());
    list_word old = list_empty();
    if (slot_exchange(slot_loaded_at(g_class), hand_list(hand_mine(), 1), &old)) {
        give_all();
        depot_return(g_class, old);
    }
}

static void set_up_cpu_held(void)
{
    set_up_cpu();
    world_fill(0, 1);
    world_fill(1, 1);
    world_fill(2, 1);
}

static void cpu_give_two(void)
{
    cache_give();
    cache_give();
}

static void cpu_take_and_give(void)
{
    cache_take();
    cache_give();
}

static void cpu_flush_all(void)
{
    bool was_inside = thread_enter_bare();
    cpu_cache_flush(true);
    thread_leave_bare(was_inside);
}

static void move_the_first(void)
{
    world_move(0, 1);
    world_move(0, 0);
}

/* Nobody has run on the second CPU for long: one more free, and its limit would be raised. */
static void set_up_fresh_cpu(void)
{
    set_up_cpu_warm();
    world_move(1, 1);
    struct slot *second = (struct slot *)(void *)(g_slots.first + SLOT_BYTES);
    second->early[slot_bin(SMALL)] = 31;
}

static void move_the_first_often(void)
{
    world_move(0, 1);
    world_move(0, 0);
    world_move(0, 1);
}

/* The slots of both are open. */
static void set_up_two_cpus(void)
{
    set_up_fresh_cpu();
    world_move(0, 1);
    REQUIRE(slot_open());
    world_move(0, 0);
}

// ---- struct lock itself ----

static struct lock g_lock;
static unsigned g_inside, g_entered;
static _Atomic(unsigned) g_touched;

static void set_up_lock(void)
{
    set_up_small();
    lock_init(&g_lock, LOCK_DEPOT);
}

static void be_inside(void)
{
    REQUIRE(g_inside++ == 0);
    explore_step(&g_touched);
    REQUIRE(--g_inside == 0);
    g_entered++;
}

static void lock_twice(void)
{
    for (int i = 0; i < 2; i++) {
        lock_acquire(&g_lock);
        be_inside();
        lock_release(&g_lock);
    }
}

static void try_lock_twice(void)
{
    for (int i = 0; i < 2; i++) {
        if (lock_try_acquire(&g_lock)) {
            be_inside();
            lock_release(&g_lock);
        }
    }
}

static void look_twice(void)
{
    for (int i = 0; i < 2; i++) {
        bool was_taken = lock_acquire_to_look(&g_lock);
        REQUIRE(was_taken && !lock_acquire_to_look(&g_lock)); // once by a thread
        be_inside();
        lock_release_after_look(&g_lock, was_taken);
    }
}

static void hold_for_fork(void)
{
    lock_begin_fork(false);
    REQUIRE(lock_acquire_for_fork(&g_lock));
    REQUIRE(!lock_acquire_for_fork(&g_lock)); // it is ours
    be_inside();
    lock_release_after_fork(&g_lock);
    lock_release_after_fork(&g_lock); // nothing
    lock_acquire(&g_lock);
    lock_release_after_fork(&g_lock); // nothing: not taken so
    be_inside();
    lock_release(&g_lock);
}

static void check_lock(void)
{
    REQUIRE(g_lock.word == 0);
    REQUIRE(g_entered >= 4);
}

// ---- fork ----

static void acquire(struct lock *lock)
{
    REQUIRE(lock_acquire_for_fork(lock));
}

/* As front/fork.c, with its table of those locks that there are here. */
static void visit_each_lock(lock_visitor *visit)
{
    static lock_walker *const walkers[LOCK_RANKS] = {
        [LOCK_SLOTS] = slot_each_lock,
        [LOCK_DEPOT] = depot_each_lock,
    };
    for (unsigned rank = LOCK_NONE; rank < LOCK_RANKS; rank++) {
        if (walkers[rank] != NULL) {
            walkers[rank](visit);
        }
    }
}

static void begin_fork(void)
{
    lock_begin_fork(false);
    visit_each_lock(acquire);
    lock_open_fork_window();
    world_require_places(false);
}

static void fork_as_parent(void)
{
    begin_fork();
    take(); // as another library's handler
    REQUIRE(lock_close_fork_window());
    visit_each_lock(lock_release_after_fork);
    give_one_by_one();
}

/* The others are gone, with what they had in their hands. */
static void fork_as_child(void)
{
    begin_fork();
    explore_end_others();
    lock_begin_fork(false);
    visit_each_lock(lock_reset_after_fork);
    slot_postfork_child();
    cache_take();
    world_require_places(false);
    cache_give();
    depot_trim(false);
}

static void check_child(void)
{
    world_require_places(false);
}

// ---- all of them ----

static const struct scene scenes[] = {
    {"a lock lets one in, and wakes who sleeps",
     set_up_lock,
     {lock_twice, lock_twice, try_lock_twice},
     check_lock},
    {"a lock is taken by a fork, and to look",
     set_up_lock,
     {lock_twice, look_twice, hold_for_fork},
     check_lock},
    {"three take from a class that is empty, and give back",
     set_up_small,
     {take_two_and_give, take_and_give},
     check_end},
    {"single blocks go onto the newest magazine while it is taken",
     set_up_small_held,
     {give_one_by_one, take_and_give, give_two},
     check_end},
    {"of two that want the last blocks some get none",
     set_up_one_slab,
     {give_two_and_take, take_two_and_give, take},
     check_end},
    {"the last blocks go home while another takes",
     set_up_last_blocks,
     {give_all, give_one, take_and_give},
     check_end},
    {"a sweep beside take and give",
     set_up_magazines,
     {give_one_by_one, sweep_twice, take},
     check_end},
    {"a trim beside take and give", set_up_magazines, {give_all, trim, take_and_give}, check_end},
    {"a class shrinks to its end while it grows",
     set_up_edge,
     {give_two_and_take, give_one_by_one, take_and_give},
     check_end},
    {"a class shrinks to its end by three", set_up_edge, {give_all, give_all, sweep}, check_end},
    {"pages are purged beside take and give",
     set_up_purge,
     {purge_first_slab, take_and_give, give_one},
     check_end},
    {"a trim purges pages while the last blocks go home",
     set_up_purge,
     {trim_pages, give_all, give_all},
     check_end},
    {"threads with slots of their own",
     set_up_small,
     {own_take_and_give, own_take_and_give},
     check_end},
    {"a slot is handed on at the exit of its thread",
     set_up_small,
     {own_take_and_exit, own_start_late},
     check_end},
    {"as many slots as threads at once",
     set_up_small_held,
     {own_two_threads, own_two_threads},
     check_slots},
    {"magazines go from the depot to slots",
     set_up_magazines,
     {own_take_and_give, cache_take},
     check_end},
    {"slots of a class that shrinks", set_up_own_edge, {own_give_all, own_give_all}, check_end},
    {"two open the slot of their CPU",
     set_up_cpu_held,
     {open_and_push, open_and_push, cpu_take_and_give},
     check_end},
    {"two give on one CPU", set_up_cpu_warm, {cpu_give_two, cpu_give_two}, check_end},
    {"one takes where another gives",
     set_up_cpu_warm,
     {cpu_take_and_give, cpu_give_two},
     check_end},
    {"a thread is moved",
     set_up_two_cpus,
     {cpu_take_and_give, cpu_give_two, move_the_first},
     check_end},
    {"a thread is moved to a CPU without an open slot",
     set_up_fresh_cpu,
     {cpu_give_two, cpu_give_two, move_the_first_often},
     check_end},
    {"all slots are emptied", set_up_two_cpus, {cache_give, cache_take, cpu_flush_all}, check_end},
    {"a fork beside take and give",
     set_up_small_held,
     {fork_as_parent, take_and_give, give_all},
     check_end},
    {"the child of a fork goes on alone",
     set_up_small_held,
     {fork_as_child, own_start_late},
     check_child},
    {"the child of a fork goes on while slabs come and go",
     set_up_last_blocks,
     {fork_as_child, give_one, take_and_give},
     check_child},
};

/* Explores scenes until none is left, the last first: most of the long ones come late. */
static void explore_what_is_left(_Atomic(size_t) *left, const char *words)
{
    for (size_t i = atomic_load(left); i != 0; i = atomic_load(left)) {
        if (atomic_compare_exchange_strong(left, &i, i - 1) &&
            strstr(scenes[i - 1].claim, words) != NULL) {
            explore(&scenes[i - 1], &g_memory_words);
            fflush(stdout);
        }
    }
}

/* protocols [WORDS]: only the scenes whose claim has them. Two processes share them. */
int main(int argc, char **argv)
{
    const char *words = argc < 2 ? "" : argv[1];
    _Atomic(size_t) *left =
        mmap(NULL, sizeof *left, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (left == MAP_FAILED) {
        return 1;
    }
    atomic_store(left, sizeof scenes / sizeof scenes[0]);
    world_make_memory();
    pid_t other = fork();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* the first to find a fault ends both */
    }
    explore_what_is_left(left, words);
    int status = 0;
    return other == 0 || (other > 0 && wait(&status) == other && status == 0) ? 0 : 1;
}
