/* stepping.c - every instruction of malloc and free is interrupted once, and meanwhile others
 * change what it works with. Nothing is handed out twice, nothing is lost.
 *
 * A tracee has two threads on one CPU, the subject and the rival. The way that a call takes is
 * found by stepping through it while rseq_cs is cleared all the time, so that the kernel aborts
 * nothing. Then, for each instruction on that way, the subject runs up to a breakpoint there; the
 * rival, or a handler of the subject, takes and gives blocks of the same class; and the subject
 * goes on. The kernel sends it to the abort handler when it stood inside of a sequence: that is
 * looked at, too.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/extensions.h"
#include "support/harness.h"
#include "support/rseq_area.h"
#include "support/tracer.h"

#include <malloc.h>

enum {
    BYTES = 200,     // of a class that nobody else uses
    WARM_UP = 400,   // blocks: no free of the class is looked at any more, and its limit is high
    BURST = 700,     // calls that pass empty and full magazines
    HELD_MAX = 1600, // by each
    HELD_USUAL = 24, // after each round
    WAY_MAX = 6000,
    TRIES = 20,
    BURST_TRIES = 2,
    BURST_LEAST = 400, // instructions, so that slow paths are among them
    BLOCKED_MS = 20,   // a rival that has not come back by then waits for the subject
    SEQUENCE_LEAST = 11,
};

enum operation { WARM, MALLOC, FREE, BURSTS, CHECK };
enum act { SWAP, KEEP, GIVE, DRAIN, ACTS };
enum interruption { BY_RIVAL, BY_HANDLER, BY_MOVE };

// ---- the tracee ----

struct holder {
    unsigned char *block[HELD_MAX];
    unsigned seed[HELD_MAX];
    size_t count;
};

static struct board {
    enum operation operation;
    enum act act;
} * g_board; // shared with the tracer

static struct holder g_subject, g_rival, g_handler;
static size_t g_usable;
static size_t g_others; // blocks of the size that are not ours

static bool take(struct holder *holder)
{
    static atomic_uint g_seed;
    unsigned char *block = malloc(BYTES);
    if (block == NULL) {
        return false;
    }
    REQUIRE(holder->count < HELD_MAX);
    unsigned seed = atomic_fetch_add(&g_seed, 1);
    block_fill(block, BYTES, seed);
    holder->block[holder->count] = block;
    holder->seed[holder->count++] = seed;
    return true;
}

static void give(struct holder *holder, size_t index)
{
    unsigned char *block = holder->block[index];
    REQUIRE(block_holds(block, BYTES, holder->seed[index]));
    holder->count--;
    holder->block[index] = holder->block[holder->count];
    holder->seed[index] = holder->seed[holder->count];
    free(block);
}

static void give_down_to(struct holder *holder, size_t count)
{
    while (holder->count > count) {
        give(holder, holder->count - 1);
    }
}

static void take_many(struct holder *holder, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)take(holder); // refused: a handler, inside of a slow path
    }
}

/* SWAP: the block that was first is first again, but the second one is taken. */
static void act(struct holder *holder, enum act act)
{
    size_t before = holder->count;
    switch (act) {
    case SWAP:
        take_many(holder, 2);
        if (holder->count == before + 2) {
            give(holder, before);
        }
        break;
    case KEEP:
        take_many(holder, 3);
        break;
    case GIVE:
        give_down_to(holder, before > 3 ? before - 3 : 0);
        break;
    case DRAIN:
    default:
        take_many(holder, 40);
        give_down_to(holder, before);
        break;
    }
}

static int count_used(const struct myalloc_block *block, void *count)
{
    *(size_t *)count += block->bytes == g_usable && block->state == MYALLOC_IN_USE;
    return 0;
}

static size_t blocks_in_use(void)
{
    size_t count = 0;
    if (harness_has_library()) {
        REQUIRE_EQUAL(myalloc_walk(count_used, &count), 0);
    }
    return count;
}

static void check(void)
{
    struct holder *holders[] = {&g_subject, &g_rival, &g_handler};
    size_t held = 0;
    give_down_to(&g_handler, 0); // some may be emergency blocks, of no class
    for (size_t i = 0; i < COUNT_OF(holders); i++) {
        struct holder *holder = holders[i];
        for (size_t k = 0; k < holder->count; k++) {
            REQUIRE(block_holds(holder->block[k], BYTES, holder->seed[k]));
        }
        held += holder->count;
    }
    if (harness_has_library()) {
        REQUIRE_EQUAL(blocks_in_use(), held + g_others);
    }
    for (size_t i = 0; i < COUNT_OF(holders); i++) {
        give_down_to(holders[i], HELD_USUAL);
    }
    /* Not always as many: a magazine that were full at each free would never be pushed onto. */
    static unsigned rounds;
    take_many(&g_subject, HELD_USUAL + rounds++ % 8 - g_subject.count);
}

static void perform(enum operation operation)
{
    size_t before = g_subject.count;
    switch (operation) {
    case MALLOC:
        (void)take(&g_subject);
        break;
    case FREE:
        give(&g_subject, g_subject.count / 2);
        break;
    case BURSTS:
        take_many(&g_subject, BURST);
        give_down_to(&g_subject, before);
        break;
    case CHECK:
        check();
        break;
    case WARM:
    default:
        take_many(&g_subject, 12);
        give_down_to(&g_subject, before);
        break;
    }
}

static void handle(int signal_number)
{
    (void)signal_number;
    act(&g_handler, g_board->act);
}

static void *run_rival(void *unused)
{
    for (;;) {
        tracer_marker();
        act(&g_rival, g_board->act);
    }
    return unused;
}

static void run_subject(void)
{
    const struct sigaction action = {.sa_handler = handle};
    REQUIRE_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
    take_many(&g_subject, WARM_UP);
    g_usable = malloc_usable_size(g_subject.block[WARM_UP - 1]);
    give_down_to(&g_subject, 0); // the first ones are of another class
    g_others = blocks_in_use();
    take_many(&g_subject, HELD_USUAL);
    pthread_t rival;
    REQUIRE_EQUAL(pthread_create(&rival, NULL, run_rival, NULL), 0);
    for (;;) {
        tracer_marker();
        perform(g_board->operation);
    }
}

// ---- the tracer ----

static struct {
    pid_t subject, rival;
    int cpu, other_cpu; // the same: there is no other
    uintptr_t way[WAY_MAX];
    size_t steps;
    uint64_t sequence; // the descriptor that the way names first; 0: none
    struct rseq_descriptor descriptor;
    unsigned stops, in_sequence, aborted, blocked, same_slot, moved;
} g;

static void pin(pid_t thread, int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    REQUIRE_EQUAL(sched_setaffinity(thread, sizeof set, &set), 0);
}

static void choose_cpus(void)
{
    cpu_set_t set;
    REQUIRE_EQUAL(sched_getaffinity(0, sizeof set, &set), 0);
    g.cpu = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set)) {
            g.cpu = g.cpu < 0 ? cpu : g.cpu;
            g.other_cpu = cpu;
        }
    }
}

/* False: ptrace is refused here. */
static bool begin(void)
{
    if (g.cpu == g.other_cpu) {
        choose_cpus();
    }
    g_board =
        mmap(NULL, sizeof *g_board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(g_board != MAP_FAILED);
    g.subject = tracer_begin(run_subject);
    if (g.subject < 0) {
        return false;
    }
    pin(g.subject, g.cpu);
    pin(0, g.cpu); // taking turns is fastest so
    g.rival = tracer_new_thread(g.subject);
    tracer_go_to_marker(g.subject);
    tracer_go_to_marker(g.rival);
    return true;
}

static void tell(enum operation operation)
{
    g_board->operation = operation;
    tracer_go_to_marker(g.subject);
}

static uintptr_t area_of(pid_t thread)
{
    return (uintptr_t)rseq_area_of(tracer_thread_pointer(thread));
}

static bool is_on_way(uintptr_t address)
{
    for (size_t i = 0; i < g.steps; i++) {
        if (g.way[i] == address) {
            return true;
        }
    }
    return false;
}

static void read_descriptor(uint64_t address)
{
    g.sequence = address;
    for (size_t i = 0; i < sizeof g.descriptor / 8; i++) {
        ((uint64_t *)&g.descriptor)[i] = tracer_peek(g.subject, address + i * 8);
    }
}

/* From the first instruction of a call to its return; notes the instructions that are new. */
static void step_through_call(struct user_regs_struct regs)
{
    uintptr_t area = area_of(g.subject);
    uintptr_t stack = tracer_stack_behind(&regs);
    uintptr_t back = tracer_return_address(g.subject, &regs);
    while (tracer_code(&regs) != back || !tracer_has_stack(&regs, stack)) {
        if (!is_on_way(tracer_code(&regs))) {
            REQUIRE(g.steps < WAY_MAX);
            g.way[g.steps++] = tracer_code(&regs);
        }
        tracer_step(g.subject);
        regs = tracer_wait(g.subject);
        uint64_t sequence = area != 0 ? tracer_peek(g.subject, area + 8) : 0;
        if (sequence != 0) {
            if (g.sequence == 0) {
                read_descriptor(sequence);
            }
            tracer_poke(g.subject, area + 8, 0); // nothing to abort
        }
    }
}

/* The instructions of all calls of malloc and free that an operation makes. */
static void find_way(enum operation operation)
{
    g.steps = 0;
    g.sequence = 0;
    uintptr_t area = area_of(g.subject);
    tell(WARM);
    if (area != 0) {
        tracer_poke(g.subject, area + 8, 0); // what an earlier call has left there
    }
    g_board->operation = operation;
    for (;;) {
        struct tracer_breakpoint at_malloc = tracer_plant(g.subject, (uintptr_t)malloc);
        struct tracer_breakpoint at_free = tracer_plant(g.subject, (uintptr_t)free);
        tracer_go(g.subject, 0);
        struct user_regs_struct regs = tracer_wait(g.subject);
        tracer_remove(g.subject, at_free);
        tracer_remove(g.subject, at_malloc);
        if (!tracer_has_hit(g.subject, &regs, at_malloc) &&
            !tracer_has_hit(g.subject, &regs, at_free)) {
            REQUIRE(tracer_is_at_marker(&regs));
            break;
        }
        step_through_call(regs);
    }
    tell(CHECK);
}

static bool is_in_sequence(uintptr_t address)
{
    return g.sequence != 0 && address - g.descriptor.start < g.descriptor.bytes;
}

/* The subject stands in front of an instruction, and others come. */
static void interrupt(enum interruption how)
{
    bool locks = g.sequence == 0 || g_board->operation == BURSTS;
    if (how == BY_HANDLER) {
        return; // it is sent when the subject goes on
    }
    if (how == BY_MOVE) {
        pin(g.subject, g.other_cpu);
    }
    tracer_go(g.rival, 0);
    if (!tracer_wait_for(g.rival, locks ? BLOCKED_MS : 10000)) {
        REQUIRE(locks); // a sequence keeps nobody waiting
        g.blocked++;
        tracer_go_to_marker(g.subject);
        REQUIRE(tracer_wait_for(g.rival, 60000));
    } else if (area_of(g.subject) != 0) {
        g.same_slot += (uint32_t)tracer_peek(g.subject, area_of(g.subject) + 24) ==
                       (uint32_t)tracer_peek(g.rival, area_of(g.rival) + 24);
    }
}

static void look_whether_aborted(size_t step)
{
    g.in_sequence++;
    tracer_step(g.subject);
    struct user_regs_struct regs = tracer_wait(g.subject);
    g.aborted += tracer_code(&regs) != g.way[step + 1];
}

/* True when the operation came to this instruction. */
static bool visit_once(enum operation operation, size_t step, enum interruption how)
{
    struct tracer_breakpoint here = tracer_plant(g.subject, g.way[step]);
    g_board->operation = operation;
    tracer_go(g.subject, 0);
    struct user_regs_struct regs = tracer_wait(g.subject);
    tracer_remove(g.subject, here);
    if (!tracer_has_hit(g.subject, &regs, here)) {
        REQUIRE(tracer_is_at_marker(&regs));
        return false;
    }
    g.stops++;
    unsigned blocked = g.blocked;
    interrupt(how);
    if (blocked == g.blocked) {
        if (how == BY_HANDLER) {
            tracer_go(g.subject, SIGUSR1);
        } else {
            if (operation != BURSTS && is_in_sequence(g.way[step])) {
                look_whether_aborted(step);
            }
            tracer_go(g.subject, 0);
        }
        regs = tracer_wait(g.subject);
        REQUIRE(tracer_is_at_marker(&regs));
    }
    if (how == BY_MOVE) {
        uintptr_t area = area_of(g.subject);
        g.moved += area != 0 && (int)tracer_peek(g.subject, area + 4) == g.other_cpu;
        pin(g.subject, g.cpu);
    }
    return true;
}

static bool visit(enum operation operation, size_t step, enum interruption how)
{
    for (int try = 0; try < (operation == BURSTS ? BURST_TRIES : TRIES); try++) {
        tell(WARM);
        bool came_there = visit_once(operation, step, how);
        tell(CHECK);
        if (came_there) {
            return true;
        }
    }
    return false;
}

/* The whole sequence lies on the way, from its first instruction to the commit. */
static void require_sequence(unsigned visited)
{
    if (g.sequence == 0) {
        REQUIRE(!library_uses_sequences());
        return;
    }
    REQUIRE(visited >= SEQUENCE_LEAST);
    REQUIRE(is_on_way(g.descriptor.start));
    REQUIRE(is_on_way(g.descriptor.start + g.descriptor.bytes));
    REQUIRE(!is_on_way(g.descriptor.abort));
}

static void visit_all_of(enum operation operation, enum interruption how)
{
    find_way(operation);
    unsigned sequence = 0;
    for (size_t i = 0; i < g.steps; i++) {
        sequence += is_in_sequence(g.way[i]);
    }
    require_sequence(sequence);
    g.stops = g.in_sequence = g.aborted = g.blocked = g.same_slot = 0;
    for (g_board->act = 0; g_board->act < ACTS; g_board->act++) {
        for (size_t i = 0; i < g.steps; i++) {
            if (!visit(operation, i, how)) {
                dprintf(STDOUT_FILENO, "# never again at instruction %zu\n", i);
                REQUIRE(!"each instruction is visited");
            }
        }
    }
    dprintf(STDOUT_FILENO,
            "# %s: %zu instructions, %u of them in the sequence; %u stops, %u of %u aborted, "
            "%u times on one slot, %u times it was waited for\n",
            operation == MALLOC ? "malloc" : "free", g.steps, sequence, g.stops, g.aborted,
            g.in_sequence, g.same_slot, g.blocked);
    REQUIRE(g.stops == g.steps * ACTS);
    REQUIRE_EQUAL(g.aborted, g.in_sequence);
    REQUIRE(how == BY_HANDLER || g.in_sequence == sequence * ACTS);
    REQUIRE(how != BY_RIVAL || g.sequence == 0 || g.same_slot >= g.stops * 9 / 10);
}

static void visit_both(enum interruption how)
{
    if (begin()) {
        visit_all_of(MALLOC, how);
        visit_all_of(FREE, how);
        tracer_end(g.subject);
    }
}

TEST(a_second_thread_works_at_every_instruction_of_malloc_and_free)
{
    visit_both(BY_RIVAL);
}

TEST(a_handler_works_at_every_instruction_of_malloc_and_free)
{
    ONLY_LIBRARY();
    visit_both(BY_HANDLER);
}

TEST(the_thread_is_moved_at_every_instruction_of_malloc_and_free)
{
    choose_cpus();
    if (g.cpu == g.other_cpu) {
        dprintf(STDOUT_FILENO, "# skipped: there is one CPU\n");
        return;
    }
    visit_both(BY_MOVE);
}

static void find_way_of_burst(void)
{
    for (int i = 0; i < 4; i++) {
        tell(BURSTS); // what comes at first only
    }
    find_way(BURSTS);
}

/* Slow paths, too: what empty and full magazines bring. Not each one comes again at each try. */
static void visit_burst(enum interruption how)
{
    if (!begin()) {
        return;
    }
    find_way_of_burst();
    require_sequence(SEQUENCE_LEAST);
    unsigned visited = 0;
    for (size_t i = 0; i < g.steps; i++) {
        g_board->act = i % ACTS;
        visited += visit(BURSTS, i, how);
    }
    dprintf(STDOUT_FILENO, "# %u of %zu instructions of %d calls, %u times they were waited for\n",
            visited, g.steps, 2 * BURST, g.blocked);
    REQUIRE(visited >= BURST_LEAST || !library_uses_sequences());
    tracer_end(g.subject);
}

TEST(a_second_thread_works_at_every_instruction_of_a_burst)
{
    visit_burst(BY_RIVAL);
}

TEST(a_handler_works_at_every_instruction_of_a_burst)
{
    ONLY_LIBRARY();
    visit_burst(BY_HANDLER);
}

/* Each time a process that has run on one CPU only: the slot of the other one is not open yet. */
static void move_at(size_t step)
{
    size_t steps = g.steps;
    tracer_end(g.subject);
    REQUIRE(begin());
    g.steps = steps;
    g_board->act = SWAP;
    (void)visit(BURSTS, step, BY_MOVE);
}

TEST(the_thread_is_moved_to_a_fresh_cpu_at_every_instruction_of_a_burst)
{
    const char *options = getenv("MYALLOC_CONF");
    const char *other_cpu = getenv("OTHER_CPU");
    if (options == NULL || strstr(options, "cpu_cache:cpu") == NULL || !library_uses_sequences()) {
        return; // the number of a CPU is to choose the slot
    }
    choose_cpus();
    if (other_cpu == NULL) {
        char text[16];
        snprintf(text, sizeof text, "%d", g.other_cpu);
        setenv("OTHER_CPU", text, 1);
        pin(0, g.cpu);
        execl("/proc/self/exe", "stepping", __func__, NULL);
        REQUIRE(!"started anew");
    }
    g.other_cpu = atoi(other_cpu);
    if (g.cpu == g.other_cpu || !begin()) {
        dprintf(STDOUT_FILENO, "# skipped: there is one CPU, or no ptrace\n");
        return;
    }
    find_way_of_burst();
    for (size_t i = 0; i < g.steps; i++) {
        move_at(i);
    }
    REQUIRE(g.moved >= BURST_LEAST);
    dprintf(STDOUT_FILENO, "# %u moves in %zu instructions\n", g.stops, g.steps);
    REQUIRE(g.stops >= BURST_LEAST);
    tracer_end(g.subject);
}
