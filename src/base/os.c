/* os.c - signals, futexes, clocks and names: system calls about neither memory nor files.
 *
 * Owns:       nothing.
 * Threads:    any.
 * Locks:      none.
 * Invariants: OS-1  errno is preserved, whatever happens.
 */
#include "base/os.h"

#include "base/check.h"
#include "base/compiler.h"
#include "base/raw_call.h"
#include "base/symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

// glibc's internal name of sigaction: only libc knows how a handler returns.
// NOLINTNEXTLINE(readability-identifier-naming)
extern int __sigaction(int signal, const struct sigaction *action, struct sigaction *before);

typedef int (*clock_function)(clockid_t clock, struct timespec *now);
typedef int (*try_function)(pthread_mutex_t *mutex);

static int ask_kernel(clockid_t clock, struct timespec *now)
{
    return (int)raw_call(SYS_clock_gettime, clock, (long)now, 0, 0);
}

// The vDSO function, not libc's: programs and preloads may define a clock of that name. For coarse
// clocks it only reads a page of memory: the time stamp counter, which exact clocks read, may be
// forbidden [PR_SET_TSC(2const), seccomp(2)], and so may the system call.
static int ask_kernels_page(clockid_t clock, struct timespec *now)
{
    static _Atomic(clock_function) g_ask;
    clock_function ask = atomic_load_explicit(&g_ask, memory_order_relaxed);
    if (UNLIKELY(ask == NULL)) {
        void *of_kernel = symbol_of_kernel("__vdso_clock_gettime");
        ASSERT(clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_REALTIME_COARSE);
        ask = of_kernel != NULL ? (clock_function)of_kernel : ask_kernel;
        atomic_store_explicit(&g_ask, ask, memory_order_relaxed);
    }
    return ask(clock, now);
}

static uint64_t read_clock(clock_function ask, clockid_t clock)
{
    struct timespec now = {0};
    ask(clock, &now);
    ASSERT(now.tv_sec >= 0);
    ASSERT(now.tv_nsec < 1000000000);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t os_now_ns(void)
{
    return read_clock(ask_kernels_page, CLOCK_MONOTONIC_COARSE);
}

uint64_t os_seconds(void)
{
    return read_clock(ask_kernels_page, CLOCK_REALTIME_COARSE) / 1000000000U;
}

uint64_t os_exact_ns(void)
{
    return read_clock(ask_kernel, CLOCK_MONOTONIC);
}

uint64_t os_boot_ns(void)
{
    return read_clock(ask_kernel, CLOCK_BOOTTIME);
}

void os_signals_block(uint64_t *old)
{
    ASSERT(old != NULL); // with NULL the kernel would store nothing
    const uint64_t all = ~0UL;
    raw_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)old, sizeof all);
}

void os_signals_restore(const uint64_t *old)
{
    ASSERT(old != NULL); // with NULL the kernel would change nothing
    raw_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)old, 0, sizeof *old);
}

void os_signal_take(int signal, void (*handler)(int, siginfo_t *, void *), struct sigaction *before)
{
    ASSERT(handler != NULL);
    ASSERT(before != NULL);
    const int usual = SA_ONSTACK | SA_RESTART;
    int saved = errno;
    __sigaction(signal, NULL, before);
    bool is_called = before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN;
    struct sigaction action = {.sa_sigaction = handler,
                               .sa_flags = SA_SIGINFO | SA_NODEFER |
                                           (is_called ? before->sa_flags & usual : usual)};
    __sigaction(signal, &action, NULL);
    errno = saved; // OS-1
}

bool os_signal_listen(int signal, void (*handler)(int, siginfo_t *, void *))
{
    ASSERT(handler != NULL);
    ASSERT(signal > 0);
    const struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct sigaction before;
    int saved = errno;
    bool listens = __sigaction(signal, NULL, &before) == 0 && before.sa_handler == SIG_DFL &&
                   __sigaction(signal, &action, NULL) == 0;
    errno = saved; // OS-1
    return listens;
}

void os_signals_hold(const sigset_t *set, int signal)
{
    ASSERT(set != NULL);
    ASSERT(signal >= 0);
    ASSERT(signal <= 64);
    uint64_t mask; // the part that the kernel uses
    memcpy(&mask, set, sizeof mask);
    mask |= signal != 0 ? 1UL << (signal - 1) : 0;
    raw_call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&mask, 0, sizeof mask);
}

void os_signal_again(int signal, const siginfo_t *info)
{
    ASSERT(info != NULL);
    ASSERT(signal > 0);
    const sigset_t none = {{0}};
    os_signals_hold(&none, signal);
    raw_call(SYS_rt_tgsigqueueinfo, os_process_id(), os_thread_id(), signal, (long)info);
}

bool os_is_fault(const siginfo_t *info, const void *context)
{
    ASSERT(info != NULL);
    ASSERT(context != NULL);
    const ucontext_t *of_fault = context;
    if (info->si_code <= 0) {
        return false;
    }
#if defined(__x86_64__)
    uintptr_t address = (uintptr_t)of_fault->uc_mcontext.gregs[REG_CR2];
    if (of_fault->uc_mcontext.gregs[REG_TRAPNO] == 0) {
        return false; // this thread has not faulted
    }
#elif defined(__aarch64__)
    uintptr_t address = of_fault->uc_mcontext.fault_address;
#else
    uintptr_t address = (uintptr_t)info->si_addr;
    (void)of_fault;
#endif
    return info->si_code == SI_KERNEL || address == (uintptr_t)info->si_addr;
}

void os_signal_default(int signal_number)
{
    ASSERT(signal_number > 0);
    const struct sigaction action = {.sa_handler = SIG_DFL};
    int saved = errno;
    __sigaction(signal_number, &action, NULL);
    errno = saved; // OS-1
}

const void *os_context_code(const void *context)
{
    ASSERT(context != NULL);
    const ucontext_t *of_fault = context;
#if defined(__x86_64__)
    return (const void *)of_fault->uc_mcontext.gregs[REG_RIP]; // NOLINT: an address of code
#elif defined(__aarch64__)
    return (const void *)of_fault->uc_mcontext.pc; // NOLINT: an address of code
#else
    (void)of_fault;
    return NULL;
#endif
}

void os_futex_wait(_Atomic(uint32_t) *word, uint32_t value)
{
    ASSERT((uintptr_t)word % sizeof *word == 0); // else it would return at once, every time
    raw_call(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, value, 0);
}

// Waits on a private futex: where system calls are filtered, we use only those that we need anyway.
void os_sleep_ms(unsigned ms)
{
    _Atomic(uint32_t) word = 0;
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    raw_call(SYS_futex, (long)&word, FUTEX_WAIT_PRIVATE, 0, (long)&time);
}

void os_futex_wake(_Atomic(uint32_t) *word)
{
    ASSERT((uintptr_t)word % sizeof *word == 0);
    raw_call(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, 1, 0);
}

uint32_t os_process_id(void)
{
    return (uint32_t)raw_call(SYS_getpid, 0, 0, 0, 0);
}

void os_exit(int status)
{
    for (;;) {
        raw_call(SYS_exit_group, status, 0, 0, 0);
    }
}

uint32_t os_thread_id(void)
{
    return (uint32_t)raw_call(SYS_gettid, 0, 0, 0, 0);
}

// A recursive mutex names its owner: libc stores the id there without asking the kernel.
SELDOM uint32_t os_thread_id_of_libc(void)
{
    pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    try_function try_lock = (try_function)symbol_of_libc("pthread_mutex_trylock");
    if (try_lock != NULL) {
        try_lock(&mutex);
    }
    ASSERT(mutex.__data.__owner >= 0);
    return mutex.__data.__owner != 0 ? (uint32_t)mutex.__data.__owner : os_thread_id();
}

uint32_t os_user_id(void)
{
    return (uint32_t)raw_call(SYS_geteuid, 0, 0, 0, 0);
}

// ---- restartable sequences ----

bool os_restart_sequences(void)
{
    static _Atomic(bool) g_registered;
    if (!atomic_load_explicit(&g_registered, memory_order_relaxed)) {
        if (raw_call(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0, 0) !=
            0) {
            return false;
        }
        atomic_store_explicit(&g_registered, true, memory_order_relaxed);
    }
    return raw_call(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0, 0) == 0;
}

// ---- names ----

const char *os_executable_name(struct os_name *name)
{
    static const char of_memory[] = "memfd:";
    static const char gone[] = " (deleted)";
    char *path = name->text;
    long bytes = raw_call(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)path,
                          (long)sizeof name->text - 1);
    size_t end = bytes > 0 ? (size_t)bytes : 0;
    if (end >= sizeof gone && memcmp(path + end - (sizeof gone - 1), gone, sizeof gone - 1) == 0) {
        end -= sizeof gone - 1;
    }
    ASSERT(end < sizeof name->text);
    path[end] = '\0';
    const char *slash = strrchr(path, '/');
    const char *start = slash != NULL ? slash + 1 : path;
    return strncmp(start, of_memory, sizeof of_memory - 1) == 0 ? start + sizeof of_memory - 1
                                                                : start;
}

const char *os_program_name(void)
{
    unsigned long address = os_auxval(AT_EXECFN);
    const char *path = address != 0 ? (const char *)address : "?"; // NOLINT: the kernel's pointer
    if (strncmp(path, "/dev/fd/", 8) == 0) { // by fexecve: a descriptor number
        static struct os_name g_name;
        return os_executable_name(&g_name);
    }
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}
