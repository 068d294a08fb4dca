/* explore.c - depth first through all states; the runtime of -fsanitize=thread; a futex.
 *
 * Where a thread may be interrupted is found out: only atomic accesses to what one thread writes
 * and another one touches are worth a choice. The first round knows of none; each round adds those
 * that the last one met, until none is new: then all states were seen. In the same way it is found
 * out which lines of the data change at all: the others are no part of the state, only compared.
 */
#include "model/explore.h"

#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    STACK_BYTES = 64 * 1024,
    DEPTH_MAX = 8192,
    TLS_BYTES_MAX = 512,
    SEEN_SHIFT = 23,
    TOUCHED = 4096,
    LINE_BYTES = 64,
    LINES_MAX = 4096,
    STATES_MAX = 12000000 // more is a mistake of the scene
};

struct thread {
    char *stack; // where its registers are saved
    bool is_over;
    const void *futex; // sleeps on it
    uintptr_t place;   // of the access before which it stands
    char tls[TLS_BYTES_MAX];
};

/* One state on the path. */
struct node {
    char *image;       // lines of data that change, memory words, stacks
    size_t image_room; // bytes
    struct thread threads[THREADS_MAX];
    unsigned next; // thread to go on with
};

struct touched {
    uintptr_t address;
    unsigned readers, writers; // bit t: thread t
    bool is_point;
};

/* Apart from .data and .bss, which are a part of the state. */
struct explorer {
    const struct scene *scene;
    struct memory memory;
    struct thread threads[THREADS_MAX];
    unsigned thread_count, running;
    bool is_active; // else accesses are nobody's business
    char *main_stack;
    char *tls;
    size_t tls_bytes;
    struct touched touched[TOUCHED];
    char *base;                            // the data as set_up left it
    unsigned lines[LINES_MAX], line_count; // those that change, in rising order
    bool is_line[LINES_MAX];
    bool has_new_lines; // the round is to be begun anew
    struct node path[DEPTH_MAX];
    size_t depth;
    uint64_t states, ends, steps, steps_then;
    uint64_t seen[1u << SEEN_SHIFT];
    _Alignas(16) char stacks[THREADS_MAX][STACK_BYTES];
    char alternate_stack[STACK_BYTES];
};
static struct explorer *g_x;

extern char __data_start[], _end[];

// ---- failing ----

_Noreturn void explore_fail(const char *what)
{
    g_x->is_active = false;
    printf("# %s, on this path (thread, and where it stood then):\n", what);
    for (size_t i = 0; i + 1 < g_x->depth; i++) {
        unsigned thread = g_x->path[i].next - 1;
        char command[128];
        printf("#   %u ", thread);
        fflush(stdout);
        snprintf(command, sizeof command, "addr2line -fsp -e /proc/%d/exe %#lx", getpid(),
                 (unsigned long)g_x->path[i + 1].threads[thread].place);
        if (system(command) != 0) {
            printf("%#lx\n", (unsigned long)g_x->path[i + 1].threads[thread].place);
        }
    }
    printf("\nnot ok - %s\n", g_x->scene->claim); // another process may have begun the line
    fflush(stdout);
    _exit(1);
}

static void on_abort(int signal_number)
{
    (void)signal_number;
    explore_fail("the library ended the program");
}

/* Every other second of work: no step takes as long. */
static void on_timer(int signal_number)
{
    (void)signal_number;
    if (g_x->steps == g_x->steps_then) {
        explore_fail("a step does not end");
    }
    g_x->steps_then = g_x->steps;
}

// ---- switching ----

unsigned explore_thread(void)
{
    return g_x->running;
}

void explore_end_others(void)
{
    for (unsigned i = 0; i < g_x->thread_count; i++) {
        if (i != g_x->running) {
            g_x->threads[i].is_over = true;
        }
    }
}

/* Saves the registers on this stack and where it ends in *from; goes on with those on another. */
void switch_stack(char **from, char *to);
__asm__("switch_stack:\n"
        "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp, (%rdi)\n"
        "mov %rsi, %rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\n"
        "ret\n");

static void yield(void)
{
    switch_stack(&g_x->threads[g_x->running].stack, g_x->main_stack);
}

static void run_thread(void)
{
    g_x->scene->threads[g_x->running]();
    g_x->threads[g_x->running].is_over = true;
    yield();
}

static struct touched *touched_at(uintptr_t address)
{
    size_t at = (address >> 2) * 0x9E3779B97F4A7C15u >> 40;
    for (size_t i = 0; i < TOUCHED; i++) {
        struct touched *found = &g_x->touched[(at + i) % TOUCHED];
        if (found->address == address || found->address == 0) {
            found->address = address;
            return found;
        }
    }
    explore_fail("too many addresses");
}

static void point(const volatile void *address, bool writes, void *place)
{
    if (!g_x->is_active) {
        return;
    }
    struct touched *touched = touched_at((uintptr_t)address);
    if (touched->is_point) {
        g_x->threads[g_x->running].place = (uintptr_t)place;
        yield();
    }
    *(writes ? &touched->writers : &touched->readers) |= 1u << g_x->running;
}

void explore_step(const volatile void *touched)
{
    point(touched, true, __builtin_return_address(0));
}

// ---- the futex ----

void __wrap_os_futex_wait(_Atomic(uint32_t) *word, uint32_t value);
void __wrap_os_futex_wake(_Atomic(uint32_t) *word);

void __wrap_os_futex_wait(_Atomic(uint32_t) *word, uint32_t value)
{
    point(word, false, __builtin_return_address(0));
    if (*word == value) {
        g_x->threads[g_x->running].futex = word;
        yield();
    }
}

void __wrap_os_futex_wake(_Atomic(uint32_t) *word)
{
    point(word, true, __builtin_return_address(0));
    for (unsigned i = 0; i < g_x->thread_count; i++) {
        if (g_x->threads[i].futex == word) {
            g_x->threads[i].futex = NULL;
            return;
        }
    }
}

// ---- states ----

static size_t put(char *to, const void *from, size_t bytes, bool is_saving)
{
    if (is_saving) {
        memcpy(to, from, bytes);
    } else {
        memcpy((void *)(uintptr_t)from, to, bytes);
    }
    return bytes;
}

static size_t data_bytes(void)
{
    return (size_t)(_end - __data_start);
}

/* The bytes from line `from` to line `to`. */
static size_t line_bytes(unsigned from, unsigned to)
{
    size_t end = (size_t)to * LINE_BYTES;
    return (end < data_bytes() ? end : data_bytes()) - (size_t)from * LINE_BYTES;
}

static unsigned lines_in_all(void)
{
    return (unsigned)((data_bytes() + LINE_BYTES - 1) / LINE_BYTES);
}

/* Compares the lines [from, to), of which none was seen to change. */
static void look_for_change(unsigned from, unsigned to)
{
    size_t at = (size_t)from * LINE_BYTES;
    if (from >= to || memcmp(__data_start + at, g_x->base + at, line_bytes(from, to)) == 0) {
        return;
    }
    for (unsigned i = from; i < to; i++) {
        at = (size_t)i * LINE_BYTES;
        g_x->is_line[i] |= memcmp(__data_start + at, g_x->base + at, line_bytes(i, i + 1)) != 0;
    }
    g_x->has_new_lines = true;
}

static void look_for_new_lines(void)
{
    unsigned from = 0;
    for (unsigned i = 0; i < g_x->line_count; i++) {
        look_for_change(from, g_x->lines[i]);
        from = g_x->lines[i] + 1;
    }
    look_for_change(from, lines_in_all());
}

static void list_lines(void)
{
    g_x->has_new_lines = false;
    g_x->line_count = 0;
    for (unsigned i = 0; i < lines_in_all(); i++) {
        if (g_x->is_line[i]) {
            g_x->lines[g_x->line_count++] = i;
        }
    }
}

/* Copies memory and stacks from or to an image; its bytes. */
static size_t copy_image(char *image, bool is_saving)
{
    size_t at = 0;
    for (unsigned i = 0; i < g_x->line_count; i++) {
        unsigned line = g_x->lines[i];
        at += put(image + at, __data_start + (size_t)line * LINE_BYTES, line_bytes(line, line + 1),
                  is_saving);
    }
    for (size_t i = 0; i < g_x->memory.count; i++) {
        at += put(image + at, g_x->memory.words[i], sizeof(void *), is_saving);
    }
    for (unsigned i = 0; i < g_x->thread_count; i++) {
        char *from = g_x->threads[i].stack;
        char *end = g_x->stacks[i] + STACK_BYTES;
        at += g_x->threads[i].is_over ? 0 : put(image + at, from, (size_t)(end - from), is_saving);
    }
    return at;
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count)
{
    const char *at = bytes;
    uint64_t word = 0;
    for (; count >= sizeof word; at += sizeof word, count -= sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    memcpy(&word, at, count);
    return (hash ^ word) * 0xBF58476D1CE4E5B9u;
}

/* Files the present state behind the path; true when it is a new one. */
static bool remember(void)
{
    struct node *node = &g_x->path[g_x->depth];
    size_t room =
        data_bytes() + sizeof(void *) * g_x->memory.count + g_x->thread_count * (size_t)STACK_BYTES;
    look_for_new_lines();
    if (g_x->depth + 1 == DEPTH_MAX || g_x->states > STATES_MAX) {
        explore_fail("too deep, or too many states");
    }
    if (node->image_room < room) {
        node->image = realloc(node->image, room);
        node->image_room = room;
    }
    uint64_t hash = hash_bytes(1, node->image, copy_image(node->image, true));
    memcpy(node->threads, g_x->threads, sizeof node->threads);
    node->next = 0;
    for (unsigned i = 0; i < g_x->thread_count; i++) {
        const struct thread *thread = &g_x->threads[i];
        hash = hash_bytes(hash, &thread->futex, sizeof thread->futex);
        hash = hash_bytes(hash, thread->tls, g_x->tls_bytes);
        if (!thread->is_over) {
            hash = hash_bytes(hash, &thread->stack, sizeof thread->stack);
        }
    }
    for (uint64_t at = hash >> (64 - SEEN_SHIFT);; at = (at + 1) % (1u << SEEN_SHIFT)) {
        if (g_x->seen[at] == hash) {
            return false;
        }
        if (g_x->seen[at] == 0) {
            g_x->seen[at] = hash;
            g_x->states++;
            return true;
        }
    }
}

static void go_back_to(struct node *node)
{
    memcpy(g_x->threads, node->threads, sizeof node->threads);
    copy_image(node->image, false);
}

static void run_step(unsigned thread)
{
    g_x->running = thread;
    g_x->steps++;
    memcpy(g_x->tls, g_x->threads[thread].tls, g_x->tls_bytes);
    g_x->is_active = true;
    switch_stack(&g_x->main_stack, g_x->threads[thread].stack);
    g_x->is_active = false;
    memcpy(g_x->threads[thread].tls, g_x->tls, g_x->tls_bytes);
}

static bool is_able(const struct thread *thread)
{
    return !thread->is_over && thread->futex == NULL;
}

/* No thread can go on: the end, unless one sleeps. */
static void look_at_end(void)
{
    for (unsigned i = 0; i < g_x->thread_count; i++) {
        if (!g_x->threads[i].is_over) {
            explore_fail("a thread sleeps for ever");
        }
    }
    g_x->ends++;
    g_x->steps++;
    memset(g_x->tls, 0, g_x->tls_bytes);
    g_x->scene->check_end();
    memcpy(__data_start, g_x->base, data_bytes());
}

static void go_through_all(void)
{
    g_x->depth = 0;
    (void)remember();
    g_x->depth = 1;
    while (g_x->depth != 0 && !g_x->has_new_lines) {
        struct node *node = &g_x->path[g_x->depth - 1];
        bool is_stuck = node->next == 0;
        while (node->next < g_x->thread_count && !is_able(&node->threads[node->next])) {
            node->next++;
        }
        if (node->next < g_x->thread_count) {
            go_back_to(node);
            run_step(node->next++);
            g_x->depth += remember();
            continue;
        }
        if (is_stuck) {
            go_back_to(node);
            look_at_end();
        }
        g_x->depth--;
    }
}

static void start_threads(void)
{
    g_x->thread_count = 0;
    memset(g_x->threads, 0, sizeof g_x->threads);
    while (g_x->thread_count < THREADS_MAX && g_x->scene->threads[g_x->thread_count] != NULL) {
        struct thread *thread = &g_x->threads[g_x->thread_count];
        char *stack = g_x->stacks[g_x->thread_count];
        memset(stack, 0, STACK_BYTES);
        thread->stack = stack + STACK_BYTES - 8 * sizeof(void *); // six registers, and whence
        void (*start)(void) = run_thread;
        memcpy(stack + STACK_BYTES - 2 * sizeof(void *), &start, sizeof start);
        g_x->thread_count++;
    }
}

/* True when the last round met accesses that are worth a choice and had none. */
static bool learn_points(void)
{
    bool any = false;
    for (size_t i = 0; i < TOUCHED; i++) {
        struct touched *touched = &g_x->touched[i];
        unsigned all = touched->readers | touched->writers;
        if (!touched->is_point && touched->writers != 0 && (all & (all - 1)) != 0) {
            touched->is_point = true;
            any = true;
        }
    }
    return any;
}

static int find_tls(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    (void)bytes;
    (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_TLS) {
            g_x->tls = info->dlpi_tls_data;
            g_x->tls_bytes = info->dlpi_phdr[i].p_memsz;
        }
    }
    return 1; // the program comes first, and only it counts
}

static void make_explorer(void)
{
    g_x = mmap(NULL, sizeof *g_x, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_x->base = malloc(data_bytes());
    if (lines_in_all() > LINES_MAX) {
        abort();
    }
    dl_iterate_phdr(find_tls, NULL);
    const stack_t stack = {.ss_sp = g_x->alternate_stack, .ss_size = STACK_BYTES};
    struct sigaction action = {.sa_handler = on_abort, .sa_flags = SA_ONSTACK};
    sigaltstack(&stack, NULL);
    sigaction(SIGABRT, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    const struct itimerval period = {.it_interval = {2, 0}, .it_value = {2, 0}};
    action.sa_handler = on_timer;
    sigaction(SIGVTALRM, &action, NULL);
    setitimer(ITIMER_VIRTUAL, &period, NULL);
}

static void begin_round(const char *fresh)
{
    memcpy(__data_start, fresh, data_bytes());
    memset(g_x->tls, 0, g_x->tls_bytes);
    memset(g_x->seen, 0, sizeof g_x->seen);
    g_x->states = 0;
    g_x->ends = 0;
    g_x->running = 0;
    g_x->scene->set_up();
    memcpy(g_x->base, __data_start, data_bytes());
    list_lines();
}

void explore(const struct scene *scene, const struct memory *memory)
{
    if (g_x == NULL) {
        make_explorer();
    }
    g_x->scene = scene;
    char *fresh = malloc(data_bytes());
    memcpy(fresh, __data_start, data_bytes());
    memset(g_x->touched, 0, sizeof g_x->touched);
    memset(g_x->is_line, 0, sizeof g_x->is_line);
    unsigned rounds = 0;
    do {
        begin_round(fresh);
        g_x->memory = *memory;
        start_threads();
        go_through_all();
        rounds++;
    } while (learn_points() | g_x->has_new_lines);
    memcpy(__data_start, fresh, data_bytes());
    free(fresh);
    printf("# %lu states, %lu ends, %u rounds\n", g_x->states, g_x->ends, rounds);
    printf("ok - %s\n", scene->claim);
    fflush(stdout);
}

// ---- what gcc calls for -fsanitize=thread ----

#define ACCESS(ptr, writes) point(ptr, writes, __builtin_return_address(0))
#define ATOMICS(bits)                                                                              \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *ptr, int order)       \
    {                                                                                              \
        ACCESS(ptr, false);                                                                        \
        return *ptr + 0 * (unsigned)order;                                                         \
    }                                                                                              \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *ptr, uint##bits##_t new, int order)  \
    {                                                                                              \
        (void)order;                                                                               \
        ACCESS(ptr, true);                                                                         \
        *ptr = new;                                                                                \
    }                                                                                              \
    uint##bits##_t __tsan_atomic##bits##_exchange(volatile uint##bits##_t *ptr,                    \
                                                  uint##bits##_t new, int order)                   \
    {                                                                                              \
        (void)order;                                                                               \
        ACCESS(ptr, true);                                                                         \
        uint##bits##_t old = *ptr;                                                                 \
        *ptr = new;                                                                                \
        return old;                                                                                \
    }
#define FETCH(bits, name, op)                                                                      \
    uint##bits##_t __tsan_atomic##bits##_fetch_##name(volatile uint##bits##_t *ptr,                \
                                                      uint##bits##_t more, int order)              \
    {                                                                                              \
        (void)order;                                                                               \
        ACCESS(ptr, true);                                                                         \
        uint##bits##_t old = *ptr;                                                                 \
        *ptr = (uint##bits##_t)(old op more);                                                      \
        return old;                                                                                \
    }
#define COMPARE_EXCHANGE(bits, kind)                                                               \
    int __tsan_atomic##bits##_compare_exchange_##kind(                                             \
        volatile uint##bits##_t *ptr, uint##bits##_t *expected, uint##bits##_t new, int order,     \
        int failure_order)                                                                         \
    {                                                                                              \
        (void)order;                                                                               \
        (void)failure_order;                                                                       \
        ACCESS(ptr, true);                                                                         \
        uint##bits##_t old = *ptr;                                                                 \
        bool is_equal = old == *expected;                                                          \
        *ptr = is_equal ? new : old;                                                               \
        *expected = old;                                                                           \
        return is_equal;                                                                           \
    }

// clang-format off
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)
FETCH(8, add, +)
FETCH(16, add, +)
FETCH(32, add, +)
FETCH(64, add, +)
FETCH(8, sub, -)
FETCH(16, sub, -)
FETCH(32, sub, -)
FETCH(64, sub, -)
COMPARE_EXCHANGE(8, strong)
COMPARE_EXCHANGE(16, strong)
COMPARE_EXCHANGE(32, strong)
COMPARE_EXCHANGE(64, strong)
COMPARE_EXCHANGE(64, weak)
// clang-format on

#define NOTHING(name)                                                                              \
    void __tsan_##name(void)                                                                       \
    {                                                                                              \
    }

/* Plain accesses are no choice: see explore.h. The arguments are left where they are. */
NOTHING(init)
NOTHING(func_entry)
NOTHING(func_exit)
NOTHING(read1)
NOTHING(read2)
NOTHING(read4)
NOTHING(read8)
NOTHING(read16)
NOTHING(unaligned_read8)
NOTHING(write1)
NOTHING(write2)
NOTHING(write4)
NOTHING(write8)
NOTHING(write16)
NOTHING(unaligned_write8)
NOTHING(read_range)
NOTHING(write_range)
NOTHING(atomic_thread_fence)
NOTHING(atomic_signal_fence)
