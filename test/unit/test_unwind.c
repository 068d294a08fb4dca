/* test_unwind.c - our walk up the stack, against that of libc. */
#include "profile/unwind.h"

#include "base/cpu.h"

#include <criterion/criterion.h>
#include <execinfo.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define NOINLINE __attribute__((noinline))
#if CPU_HAS_UNWIND_ROWS
#define DEEP "omit-frame-pointer"
#else // only frame pointers are followed
#define DEEP "no-omit-frame-pointer"
#endif

static struct {
    const void *own[UNWIND_FRAMES_MAX];
    void *libc[UNWIND_FRAMES_MAX + 8];
    unsigned own_count, libc_count;
} g_seen;

/* Both walks, each from the frame of this function's caller on. */
static NOINLINE void look(void)
{
    g_seen.own_count = unwind_stack(__builtin_return_address(0), g_seen.own);
    g_seen.libc_count = (unsigned)backtrace(g_seen.libc, UNWIND_FRAMES_MAX + 8) - 1;
}

/* libc's first address lies in look() itself. */
static void check(unsigned frames_min)
{
    cr_assert_geq(g_seen.own_count, frames_min);
    unsigned count = g_seen.libc_count < UNWIND_FRAMES_MAX ? g_seen.libc_count : UNWIND_FRAMES_MAX;
    cr_assert_eq(g_seen.own_count, count, "%u frames, libc has %u", g_seen.own_count, count);
    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(g_seen.own[i], (const void *)g_seen.libc[i + 1], "frame %u", i);
    }
}

static NOINLINE __attribute__((optimize("O2", DEEP))) int deep(int depth, int *room)
{
    int own[7] = {depth, *room};
    if (depth == 0) {
        look();
    } else {
        deep(depth - 1, own);
    }
    return own[0] + own[1]; // no tail call
}

#if CPU_HAS_UNWIND_ROWS
Test(unwind, functions_without_frame_pointers)
{
    int room = 0;
    for (int i = 0; i < 3; i++) { // the later ones by rows that were kept
        deep(5 + i, &room);
        check(7);
    }
}
#endif

Test(unwind, ends_after_as_many_frames_as_there_is_room_for)
{
    int room = 0;
    deep(200, &room);
    check(UNWIND_FRAMES_MAX);
}

static NOINLINE __attribute__((optimize("O2"))) int wide(size_t bytes)
{
    volatile char *room = __builtin_alloca(bytes);
    room[0] = 1;
    _Alignas(64) volatile char aligned[64] = {1}; // the frame is found by an expression
    look();
    return room[0] + aligned[0];
}

Test(unwind, frames_of_any_size_and_alignment)
{
    wide(10);
    check(2);
    wide(100000);
    check(2);
}

#if CPU_HAS_UNWIND_ROWS
static void on_signal(int signal)
{
    (void)signal;
    look();
}

static NOINLINE int raise_here(void)
{
    raise(SIGUSR1);
    return (int)g_seen.own_count; // no tail call
}

Test(unwind, leads_out_of_a_signal_handler)
{
    signal(SIGUSR1, on_signal);
    raise_here();
    check(4);
}

Test(unwind, leads_out_of_a_handler_on_a_stack_of_its_own)
{
    static char g_stack[65536];
    stack_t stack = {.ss_sp = g_stack, .ss_size = sizeof g_stack};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise_here();
    check(4);
}

/* Where the address before one belongs to another function, whose frame is another: a fault at the
 * first instruction of a function, and a call that is the last one. */
void fault_at_once(void);
void call_at_the_end(void (*function)(void));
__asm__(".text\n"
        ".type frame_of_another_size, @function\n"
        "frame_of_another_size:\n"
        ".cfi_startproc\n"
        ".cfi_def_cfa_offset 4096\n"
        "nop\n"
        ".cfi_endproc\n"
        ".type fault_at_once, @function\n"
        "fault_at_once:\n"
        ".cfi_startproc\n"
        "ud2\n"
        "ret\n"
        ".cfi_endproc\n"
        ".type call_at_the_end, @function\n"
        "call_at_the_end:\n"
        ".cfi_startproc\n"
        "sub $24, %rsp\n"
        ".cfi_def_cfa_offset 32\n"
        "call *%rdi\n"
        ".cfi_endproc\n"
        ".cfi_startproc\n"
        ".cfi_def_cfa_offset 4096\n"
        "add $24, %rsp\n"
        "ret\n"
        ".cfi_endproc\n");

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    look();
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2; // behind it
}

static NOINLINE int fault_here(void)
{
    fault_at_once();
    return (int)g_seen.own_count; // no tail call
}

Test(unwind, takes_the_address_of_a_fault_as_it_is)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &action, NULL);
    fault_here();
    check(5);
    cr_assert_eq(g_seen.own[2], (const void *)(uintptr_t)fault_at_once);
}

Test(unwind, takes_a_return_address_for_the_call_before_it)
{
    call_at_the_end(look);
    check(3);
}

static NOINLINE void fault_below(void)
{
    fault_here();
    __asm__ volatile(""); // no tail call
}

/* Also where rows were kept: each round keeps one more. */
Test(unwind, takes_only_the_address_of_the_fault_as_it_is)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &action, NULL);
    for (int i = 0; i < 6; i++) {
        call_at_the_end(fault_below);
        check(7);
    }
}
#endif

static int compare(const void *a, const void *b)
{
    look();
    return *(const int *)a - *(const int *)b;
}

Test(unwind, leads_through_a_library)
{
    int numbers[2] = {2, 1};
    qsort(numbers, 2, sizeof numbers[0], compare);
    check(3);
}

static void *run(void *unused)
{
    look();
    return unused;
}

Test(unwind, ends_at_the_bottom_of_a_thread)
{
    pthread_t thread;
    pthread_create(&thread, NULL, run, NULL);
    pthread_join(thread, NULL);
    check(2);
}

static ucontext_t g_main, g_coroutine;

static void run_coroutine(void)
{
    int room = 0;
    deep(3, &room);
}

Test(unwind, ends_at_the_bottom_of_a_coroutine)
{
    static char g_stack[65536];
    getcontext(&g_coroutine);
    g_coroutine.uc_stack.ss_sp = g_stack;
    g_coroutine.uc_stack.ss_size = sizeof g_stack;
    g_coroutine.uc_link = &g_main;
    makecontext(&g_coroutine, run_coroutine, 0);
    swapcontext(&g_main, &g_coroutine);
    cr_assert_geq(g_seen.own_count, 5);
    cr_assert_arr_eq(g_seen.own, &g_seen.libc[1], 5 * sizeof(void *));
}

#if CPU_HAS_UNWIND_ROWS
/* Code without tables, as a just-in-time compiler makes it: with a frame pointer the walk passes
 * it; with rubbish in its place it ends, and reads nothing that is not there. */
static const unsigned char g_with_frame[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
static const unsigned char g_rubbish[] = {0x55, 0x48, 0x89, 0xf5, 0xff, 0xd7, 0x5d, 0xc3};

#include <sys/mman.h>

static NOINLINE __attribute__((optimize("no-omit-frame-pointer"))) int
run_code(const unsigned char *code, size_t bytes, uintptr_t pointer)
{
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, code, bytes);
    void (*enter)(void (*)(void), uintptr_t) = (void (*)(void (*)(void), uintptr_t))page;
    enter(look, pointer);
    return munmap(page, 4096);
}

Test(unwind, passes_code_without_tables_by_its_frame_pointer)
{
    run_code(g_with_frame, sizeof g_with_frame, 0);
    cr_assert_geq(g_seen.own_count, 4);
    cr_assert_geq((uintptr_t)g_seen.own[1], (uintptr_t)run_code);
    cr_assert_leq((uintptr_t)g_seen.own[1], (uintptr_t)run_code + 512);
}

Test(unwind, reads_nothing_behind_a_wrong_frame_pointer)
{
    char here;
    const uintptr_t pointers[] = {
        0, 8, (uintptr_t)&here - 100000, (uintptr_t)&here | 1, UINTPTR_MAX - 7, 0x7fffffffffff0000};
    for (size_t i = 0; i < sizeof pointers / sizeof pointers[0]; i++) {
        run_code(g_rubbish, sizeof g_rubbish, pointers[i]);
        cr_assert_eq(g_seen.own_count, 1);
    }
}

static char *g_hole;

static void run_rubbish(void)
{
    run_code(g_rubbish, sizeof g_rubbish, (uintptr_t)g_hole);
}

/* Close above the stack, where a frame might be, but nothing can be read. */
Test(unwind, reads_nothing_that_is_hidden)
{
    enum { HALF = 65536 };
    char *stack = mmap(NULL, 2 * HALF, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(stack + HALF, HALF, PROT_NONE);
    g_hole = stack + HALF + 4096;
    getcontext(&g_coroutine);
    g_coroutine.uc_stack.ss_sp = stack;
    g_coroutine.uc_stack.ss_size = HALF;
    g_coroutine.uc_link = &g_main;
    makecontext(&g_coroutine, run_rubbish, 0);
    swapcontext(&g_main, &g_coroutine);
    cr_assert_eq(g_seen.own_count, 1);
}
#endif
