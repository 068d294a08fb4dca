/* os.c - every system call that we make.
 *
 * Owns:       the page size, and in debug builds the countdown of injected failures.
 * Threads:    any.
 * Locks:      none.
 * Invariants: OS-1  errno is as it was, whatever happened.
 */
#include "base/os.h"

#include "base/bits.h"
#include "base/compiler.h"
#include "base/line.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

// Of 47 bits of addresses, programs lie below 2^44 or from 0x55 2^40 on, mappings from 0x7f 2^40
// down.
#define HOLE_ADDRESS ((uintptr_t)1 << 44)
#define HOLE_STEP    ((uintptr_t)1 << 42)

// MADV_GUARD_INSTALL and MADV_GUARD_REMOVE, which older headers lack.
#define ADVICE_GUARD_INSTALL 102
#define ADVICE_GUARD_REMOVE  103

static struct {
    _Atomic(size_t) page_bytes;
    _Atomic(long) fail_after; // debug: see os_fail_after
    _Atomic(bool) fail_asked; // debug: MYALLOC_FAIL_AFTER was looked up
} g_os;

void os_fail_after(long n)
{
    atomic_store_explicit(&g_os.fail_asked, true, memory_order_relaxed);
    atomic_store_explicit(&g_os.fail_after, n, memory_order_relaxed);
}

static void fail_ask_environment(void)
{
    const char *text = os_env("MYALLOC_FAIL_AFTER");
    os_fail_after(text != NULL ? strtol(text, NULL, 10) : 0);
}

// True when this call has to fail.
static bool fail_now(void)
{
    if (!CONFIG_DEBUG) {
        return false;
    }
    if (!atomic_load_explicit(&g_os.fail_asked, memory_order_relaxed)) {
        fail_ask_environment();
    }
    long left = atomic_load_explicit(&g_os.fail_after, memory_order_relaxed);
    if (left == 0) {
        return false;
    }
    if (left == 1) {
        atomic_store_explicit(&g_os.fail_after, 0, memory_order_relaxed);
        return true;
    }
    if (left == -1) {
        return true;
    }
    atomic_fetch_add_explicit(&g_os.fail_after, left > 0 ? -1 : 1, memory_order_relaxed);
    return false;
}

// A raw system call: other preloads interpose mmap and its kin, and would call malloc.
static long os_call(long number, long a, long b, long c, long d)
{
    int saved = errno;
    long result = syscall(number, a, b, c, d, -1L, 0L);
    errno = saved; // OS-1
    return result;
}

// As os_call, but a failure is the negative errno.
static long call_error(long number, const long arguments[6])
{
    int saved = errno;
    const long *a = arguments;
    long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    result = result == -1 ? -errno : result;
    errno = saved; // OS-1
    return result;
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now = {0};
    int saved = errno;
    clock_gettime(clock, &now);
    errno = saved; // OS-1
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

size_t os_page_bytes(void)
{
    size_t bytes = atomic_load_explicit(&g_os.page_bytes, memory_order_relaxed);
    if (UNLIKELY(bytes == 0)) {
        bytes = MYALLOC_FORCE_PAGE != 0 ? MYALLOC_FORCE_PAGE : getauxval(AT_PAGESZ);
        atomic_store_explicit(&g_os.page_bytes, bytes, memory_order_relaxed);
    }
    return bytes;
}

void *os_break(void)
{
    int saved = errno;
    void *at = sbrk(0);
    errno = saved; // OS-1
    return (intptr_t)at == -1 ? NULL : at;
}

void *os_break_move(intptr_t bytes)
{
    if (fail_now()) {
        return NULL;
    }
    int saved = errno;
    void *old = sbrk(bytes);
    errno = saved; // OS-1
    return (intptr_t)old == -1 ? NULL : old;
}

static void *map_raw(void *hint, size_t bytes, int protection)
{
    long at = os_call(SYS_mmap, (long)hint, (long)bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS);
    return at == -1 ? NULL : (void *)at;
}

// MYALLOC_FORCE_PAGE: what a kernel with such pages would give, cut out of a longer mapping.
static void *map_whole_pages(size_t bytes, int protection)
{
    size_t page = os_page_bytes();
    char *at = map_raw(NULL, bytes + page, protection);
    if (at == NULL) {
        return NULL;
    }
    char *start = at + (align_up((uintptr_t)at, page) - (uintptr_t)at);
    if (start != at) {
        os_unmap(at, (size_t)(start - at));
    }
    os_unmap(start + bytes, (size_t)(at + page - start));
    return start;
}

void *os_map(void *hint, size_t bytes)
{
    if (fail_now()) {
        return NULL;
    }
    const int usual = PROT_READ | PROT_WRITE;
    return MYALLOC_FORCE_PAGE != 0 && hint == NULL ? map_whole_pages(bytes, usual)
                                                   : map_raw(hint, bytes, usual);
}

void *os_map_none(size_t bytes)
{
    if (fail_now()) {
        return NULL;
    }
    return MYALLOC_FORCE_PAGE != 0 ? map_whole_pages(bytes, PROT_NONE)
                                   : map_raw(NULL, bytes, PROT_NONE);
}

void *os_map_at(void *address, size_t bytes)
{
    // A plain hint, then a look: MAP_FIXED_NOREPLACE is unknown to old kernels and to valgrind.
    void *at = os_map(address, bytes);
    if (at != NULL && at != address) {
        os_unmap(at, bytes);
        return NULL;
    }
    return at;
}

// The random number with this number. The stack canary is made of the same bytes: nobody can tell
// them from what they gave here.
static uint64_t random_number(uint64_t number)
{
    uint64_t random[2] = {0, 0};
    const void *seed = (const void *)getauxval(AT_RANDOM); // NOLINT: the kernel's pointer
    if (seed != NULL) {
        memcpy(random, seed, sizeof random);
    }
    uint64_t x = random[0] ^ (random[1] + number * 0x9e3779b97f4a7c15ULL);
    for (int i = 0; i < 3; i++) {
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL + random[1];
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL + random[0];
    }
    return x ^ (x >> 31);
}

void *os_hole_address(unsigned place)
{
    // 20 random bits in steps of 2 MiB: 2 TiB; others for each place.
    uint64_t random = random_number(UINT64_MAX - place);
    uintptr_t address = HOLE_ADDRESS + place * HOLE_STEP + ((random & 0xfffff) << 21);
    return (void *)address; // NOLINT: we choose the address
}

void os_unmap(void *start, size_t bytes)
{
    os_call(SYS_munmap, (long)start, (long)bytes, 0, 0);
}

void os_move(void *from, void *to, size_t bytes)
{
    int saved = errno;
    syscall(SYS_mremap, from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    errno = saved; // OS-1
}

// MYALLOC_FORCE_PAGE: moves to a place that such a kernel would have chosen.
static long remap_whole_pages(void *start, size_t old_bytes, size_t new_bytes)
{
    void *target = new_bytes > old_bytes ? map_whole_pages(new_bytes, PROT_NONE) : start;
    if (target == NULL) {
        return -1;
    }
    int flags = target != start ? MREMAP_MAYMOVE | MREMAP_FIXED : 0;
    int saved = errno;
    long at = syscall(SYS_mremap, start, old_bytes, new_bytes, flags, target);
    errno = saved; // OS-1
    return at;
}

void *os_remap(void *start, size_t old_bytes, size_t new_bytes)
{
    if (fail_now()) {
        return NULL;
    }
    long at = MYALLOC_FORCE_PAGE != 0 ? remap_whole_pages(start, old_bytes, new_bytes)
                                      : os_call(SYS_mremap, (long)start, (long)old_bytes,
                                                (long)new_bytes, MREMAP_MAYMOVE);
    return at == -1 ? NULL : (void *)at;
}

bool os_purge(void *start, size_t bytes)
{
    return !fail_now() && os_call(SYS_madvise, (long)start, (long)bytes, MADV_DONTNEED, 0) == 0;
}

bool os_protect(void *start, size_t bytes, bool is_usable)
{
    long protection = is_usable ? PROT_READ | PROT_WRITE : PROT_NONE;
    return !fail_now() && os_call(SYS_mprotect, (long)start, (long)bytes, protection, 0) == 0;
}

bool os_mark_hidden(void *start, size_t bytes, bool is_hidden)
{
    long advice = is_hidden ? ADVICE_GUARD_INSTALL : ADVICE_GUARD_REMOVE;
    return !fail_now() && os_call(SYS_madvise, (long)start, (long)bytes, advice, 0) == 0;
}

uint64_t os_random(void)
{
    static _Atomic(uint64_t) g_calls;
    return random_number(atomic_fetch_add_explicit(&g_calls, 1, memory_order_relaxed) + 1);
}

void os_huge_pages(void *start, size_t bytes)
{
    os_call(SYS_madvise, (long)start, (long)bytes, MADV_HUGEPAGE, 0);
}

void os_signals_block(uint64_t *old)
{
    const uint64_t all = ~0UL;
    os_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)old, sizeof all);
}

void os_signals_restore(const uint64_t *old)
{
    os_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)old, 0, sizeof *old);
}

void os_signal_take(int signal, void (*handler)(int, siginfo_t *, void *), struct sigaction *before)
{
    struct sigaction action = {.sa_sigaction = handler,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    int saved = errno;
    sigaction(signal, &action, before);
    errno = saved; // OS-1
}

void os_signal_default(int signal_number)
{
    int saved = errno;
    signal(signal_number, SIG_DFL);
    errno = saved; // OS-1
}

const void *os_context_code(const void *context)
{
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
    os_call(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, value, 0);
}

// By a futex that nobody knows: where calls are filtered, we make those only that we make anyway.
void os_sleep_ms(void)
{
    _Atomic(uint32_t) word = 0;
    const struct timespec ms = {.tv_nsec = 1000000};
    os_call(SYS_futex, (long)&word, FUTEX_WAIT_PRIVATE, 0, (long)&ms);
}

void os_futex_wake(_Atomic(uint32_t) *word)
{
    os_call(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, 1, 0);
}

void os_cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

uint64_t os_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t os_boot_ns(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

uint64_t os_seconds(void)
{
    return read_clock(CLOCK_REALTIME) / 1000000000U;
}

// ---- files and names ----

#define DESCRIPTOR_MIN 200 // programs that close or reuse descriptors begin with the low ones

int os_create(const char *path)
{
    const long flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    return fail_now() ? -1 : (int)os_call(SYS_openat, AT_FDCWD, (long)path, flags, 0600);
}

bool os_truncate(int fd, size_t bytes)
{
    return !fail_now() && os_call(SYS_ftruncate, fd, (long)bytes, 0, 0) == 0;
}

bool os_extend(int fd, size_t offset, size_t bytes)
{
    if (fail_now()) {
        return false;
    }
    long result = call_error(SYS_fallocate, (long[6]){fd, 0, (long)offset, (long)bytes});
    return result == 0 || (result == -EOPNOTSUPP && os_truncate(fd, offset + bytes));
}

void *os_map_file(int fd, size_t offset, size_t bytes)
{
    if (fail_now()) {
        return NULL;
    }
    const long protection = PROT_READ | PROT_WRITE;
    long at =
        call_error(SYS_mmap, (long[6]){0, (long)bytes, protection, MAP_SHARED, fd, (long)offset});
    return at < 0 ? NULL : (void *)at;
}

bool os_make_directory(const char *path)
{
    struct stat status;
    os_call(SYS_mkdir, (long)path, 0700, 0, 0);
    return os_call(SYS_lstat, (long)path, (long)&status, 0, 0) == 0 && S_ISDIR(status.st_mode) &&
           status.st_uid == os_user_id() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

int os_keep_descriptor(int fd)
{
    return (int)os_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, DESCRIPTOR_MIN, 0);
}

uint64_t os_file_id(int fd)
{
    struct stat status;
    bool is_open = os_call(SYS_fstat, fd, (long)&status, 0, 0) == 0;
    return is_open ? (status.st_dev << 40) + status.st_ino + 1 : 0;
}

void os_close(int fd)
{
    os_call(SYS_close, fd, 0, 0, 0);
}

void os_unlink(const char *path)
{
    os_call(SYS_unlink, (long)path, 0, 0, 0);
}

// A name of its own, gone at once: for file systems without O_TMPFILE.
static int open_and_unlink(const char *directory)
{
    struct line name = {.used = 0};
    line_add(&name, directory);
    line_add(&name, "/.myalloc.");
    line_add_number(&name, os_process_id());
    line_add(&name, ".");
    line_add_number(&name, os_now_ns());
    name.text[name.used] = '\0';
    const long flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    int fd = (int)call_error(SYS_openat, (long[6]){AT_FDCWD, (long)name.text, flags, 0600});
    if (fd >= 0) {
        os_unlink(name.text);
    }
    return fd;
}

int os_open_unnamed(const char *directory)
{
    if (fail_now()) {
        return -EACCES;
    }
    const long flags = O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL;
    int fd = (int)call_error(SYS_openat, (long[6]){AT_FDCWD, (long)directory, flags, 0600});
    if (fd == -EOPNOTSUPP || fd == -EISDIR) {
        fd = open_and_unlink(directory);
    }
    int kept = fd < 0 ? fd : os_keep_descriptor(fd);
    if (fd >= 0 && kept < 0) { // few descriptors: then this one
        return fd;
    }
    if (fd >= 0) {
        os_close(fd);
    }
    return kept;
}

int os_allocate(int fd, size_t offset, size_t bytes)
{
    uint64_t limits[2] = {0, 0};
    if (fail_now()) {
        return ENOSPC;
    }
    // Beyond the limit the call would bring a signal.
    if (os_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)limits) == 0 &&
        limits[0] < offset + bytes) {
        return EFBIG;
    }
    return -(int)call_error(SYS_fallocate, (long[6]){fd, 0, (long)offset, (long)bytes});
}

bool os_map_file_at(void *start, size_t bytes, int fd, size_t offset, bool is_shared)
{
    const long flags = MAP_FIXED | (is_shared ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE);
    const long protection = PROT_READ | PROT_WRITE;
    return !fail_now() && call_error(SYS_mmap, (long[6]){(long)start, (long)bytes, protection,
                                                         flags, fd, (long)offset}) == (long)start;
}

int os_open_file(const char *path, bool writes)
{
    const long flags = O_CLOEXEC | (writes ? O_RDWR | O_CREAT : O_RDONLY);
    return (int)call_error(SYS_openat, (long[6]){AT_FDCWD, (long)path, flags, 0666});
}

size_t os_file_bytes(int fd)
{
    struct stat status = {0};
    os_call(SYS_fstat, fd, (long)&status, 0, 0);
    return (size_t)status.st_size;
}

long os_map_whole_file(int fd, size_t bytes, bool writes)
{
    const long protection = PROT_READ | (writes ? PROT_WRITE : 0);
    const long flags = writes ? MAP_SHARED : MAP_PRIVATE;
    return call_error(SYS_mmap, (long[6]){0, (long)bytes, protection, flags, fd});
}

int os_sync(void *start, size_t bytes)
{
    return -(int)call_error(SYS_msync, (long[6]){(long)start, (long)bytes, MS_SYNC});
}

bool os_remove(void *start, size_t bytes)
{
    return !fail_now() && os_call(SYS_madvise, (long)start, (long)bytes, MADV_REMOVE, 0) == 0;
}

uint32_t os_process_id(void)
{
    return (uint32_t)os_call(SYS_getpid, 0, 0, 0, 0);
}

void os_exit(int status)
{
    for (;;) {
        os_call(SYS_exit_group, status, 0, 0, 0);
    }
}

uint32_t os_thread_id(void)
{
    return (uint32_t)os_call(SYS_gettid, 0, 0, 0, 0);
}

uint32_t os_user_id(void)
{
    return (uint32_t)os_call(SYS_geteuid, 0, 0, 0, 0);
}

// ---- restartable sequences ----

bool os_restart_sequences(void)
{
    static _Atomic(bool) g_registered;
    if (!atomic_load_explicit(&g_registered, memory_order_relaxed)) {
        if (os_call(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0, 0) != 0) {
            return false;
        }
        atomic_store_explicit(&g_registered, true, memory_order_relaxed);
    }
    return os_call(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0, 0) == 0;
}

// ---- limits and environment ----

const char *os_env(const char *name)
{
    if (getauxval(AT_SECURE) != 0) {
        return NULL;
    }
    size_t bytes = strlen(name);
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        if (strncmp(*entry, name, bytes) == 0 && (*entry)[bytes] == '=') {
            return *entry + bytes + 1;
        }
    }
    return NULL;
}

const char *os_program_name(void)
{
    unsigned long address = getauxval(AT_EXECFN);
    const char *path = address != 0 ? (const char *)address : "?"; // NOLINT: the kernel's pointer
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}
