/* os_vm.c - address space and memory of the process.
 *
 * Owns:       the page size.
 * Threads:    any.
 * Locks:      none.
 * Invariants: OS-1  errno is preserved, whatever happens.
 *             OS-2  memory is unmapped, purged and moved by libc's own functions, which RDMA stacks
 *                   patch to observe it (hazards.md, H32); never by their names, which a program
 *                   may define itself.
 */
#include "base/os_vm.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/os_call.h"
#include "base/raw_call.h"
#include "base/symbol.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// In the 47 bits of address space, programs are below 2^44 or from 0x55 * 2^40 on, mappings from
// 0x7f * 2^40 down.
#define HOLE_ADDRESS ((uintptr_t)1 << 44)
#define HOLE_STEP    ((uintptr_t)1 << 42)

// MADV_GUARD_INSTALL and MADV_GUARD_REMOVE, which older headers lack.
#define ADVICE_GUARD_INSTALL 102
#define ADVICE_GUARD_REMOVE  103

// glibc's internal name of sbrk.
// NOLINTNEXTLINE(readability-identifier-naming)
extern void *__sbrk(intptr_t bytes);

typedef int (*unmap_function)(void *start, size_t bytes);
typedef int (*advise_function)(void *start, size_t bytes, int advice);
typedef void *(*remap_function)(void *start, size_t old_bytes, size_t new_bytes, int flags, ...);

static struct {
    _Atomic(size_t) page_bytes;
    _Atomic(bool) is_known; // OS-2: the three below are set
    _Atomic(unmap_function) unmap;
    _Atomic(advise_function) advise;
    _Atomic(remap_function) remap;
} g_os_vm;

// ---- calls that others observe ----

static COLD int raw_unmap(void *start, size_t bytes)
{
    return (int)raw_call(SYS_munmap, (long)start, (long)bytes, 0, 0);
}

static COLD int raw_advise(void *start, size_t bytes, int advice)
{
    return (int)raw_call(SYS_madvise, (long)start, (long)bytes, advice, 0);
}

// The only variable argument is the target.
static COLD void *raw_remap(void *start, size_t old_bytes, size_t new_bytes, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    long target = (long)va_arg(more, void *);
    va_end(more);
    ASSERT(((flags & MREMAP_FIXED) != 0) == (target != 0));
    return (void *)raw_call_long(
        SYS_mremap, (long[6]){(long)start, (long)old_bytes, (long)new_bytes, flags, target});
}

static void *find_call(const char *name, void *otherwise)
{
    ASSERT(otherwise != NULL);
    void *of_libc = symbol_of_libc(name);
    return of_libc != NULL ? of_libc : otherwise;
}

static void know_calls(void)
{
    if (LIKELY(atomic_load_explicit(&g_os_vm.is_known, memory_order_acquire))) {
        return; // acquire: pairs with the release below
    }
    // Two threads that race here store the same values.
    unmap_function unmap_call = (unmap_function)find_call("munmap", (void *)raw_unmap);
    advise_function advise_call = (advise_function)find_call("madvise", (void *)raw_advise);
    remap_function remap_call = (remap_function)find_call("mremap", (void *)raw_remap);
    atomic_store_explicit(&g_os_vm.unmap, unmap_call, memory_order_relaxed);
    atomic_store_explicit(&g_os_vm.advise, advise_call, memory_order_relaxed);
    atomic_store_explicit(&g_os_vm.remap, remap_call, memory_order_relaxed);
    atomic_store_explicit(&g_os_vm.is_known, true, memory_order_release);
}

static int unmap(void *start, size_t bytes)
{
    ASSERT((uintptr_t)start % PAGE_BYTES_MIN == 0);
    ASSERT(bytes != 0); // else the kernel would refuse, and nobody would notice
    int saved = errno;
    know_calls();
    int result = atomic_load_explicit(&g_os_vm.unmap, memory_order_relaxed)(start, bytes);
    errno = saved; // OS-1
    return result;
}

static int advise(void *start, size_t bytes, int advice)
{
    ASSERT((uintptr_t)start % PAGE_BYTES_MIN == 0);
    ASSERT(bytes % PAGE_BYTES_MIN == 0); // the kernel would round up
    int saved = errno;
    know_calls();
    int result = atomic_load_explicit(&g_os_vm.advise, memory_order_relaxed)(start, bytes, advice);
    errno = saved; // OS-1
    return result;
}

// Remaps memory; NULL: refused.
static void *remap(void *start, size_t old_bytes, size_t new_bytes, int flags, void *target)
{
    ASSERT((uintptr_t)start % PAGE_BYTES_MIN == 0);
    ASSERT(old_bytes != 0);
    ASSERT(new_bytes != 0);
    int saved = errno;
    know_calls();
    remap_function call = atomic_load_explicit(&g_os_vm.remap, memory_order_relaxed);
    void *at = call(start, old_bytes, new_bytes, flags, target);
    errno = saved;                                          // OS-1
    return (uintptr_t)at % PAGE_BYTES_MIN == 0 ? at : NULL; // else an error: -1, or -errno
}

// ---- memory ----

size_t os_page_bytes(void)
{
    size_t bytes = atomic_load_explicit(&g_os_vm.page_bytes, memory_order_relaxed);
    if (UNLIKELY(bytes == 0)) {
        bytes = MYALLOC_FORCE_PAGE != 0 ? MYALLOC_FORCE_PAGE : os_auxval(AT_PAGESZ);
        ASSERT(is_pow2(bytes));
        ASSERT(bytes >= PAGE_BYTES_MIN);
        atomic_store_explicit(&g_os_vm.page_bytes, bytes, memory_order_relaxed);
    }
    return bytes;
}

void *os_break(void)
{
    int saved = errno;
    void *at = __sbrk(0);
    errno = saved; // OS-1
    return (intptr_t)at == -1 ? NULL : at;
}

void *os_break_move(intptr_t bytes)
{
    ASSERT(bytes != 0); // a query is os_break()
    if (os_fail_now()) {
        return NULL;
    }
    int saved = errno;
    void *old = __sbrk(bytes);
    errno = saved; // OS-1
    return (intptr_t)old == -1 ? NULL : old;
}

static void *map_raw(void *hint, size_t bytes, int protection)
{
    ASSERT(bytes != 0);
    const long flags = MAP_PRIVATE | MAP_ANONYMOUS;
    long at = raw_call_long(SYS_mmap, (long[6]){(long)hint, (long)bytes, protection, flags, -1, 0});
    return at < 0 ? NULL : (void *)at;
}

// MYALLOC_FORCE_PAGE: cuts what a kernel with such pages would return out of a longer mapping.
static void *map_whole_pages(size_t bytes, int protection)
{
    size_t page = os_page_bytes();
    char *at = map_raw(NULL, bytes + page, protection);
    if (at == NULL) {
        return NULL;
    }
    char *start = at + (align_up((uintptr_t)at, page) - (uintptr_t)at);
    ASSERT((size_t)(start - at) < page);
    if (start != at) {
        os_unmap(at, (size_t)(start - at));
    }
    os_unmap(start + bytes, (size_t)(at + page - start));
    return start;
}

void *os_map(void *hint, size_t bytes)
{
    if (os_fail_now()) {
        return NULL;
    }
    const int usual = PROT_READ | PROT_WRITE;
    return MYALLOC_FORCE_PAGE != 0 && hint == NULL ? map_whole_pages(bytes, usual)
                                                   : map_raw(hint, bytes, usual);
}

void *os_map_none(size_t bytes)
{
    if (os_fail_now()) {
        return NULL;
    }
    return MYALLOC_FORCE_PAGE != 0 ? map_whole_pages(bytes, PROT_NONE)
                                   : map_raw(NULL, bytes, PROT_NONE);
}

void *os_map_at(void *address, size_t bytes)
{
    ASSERT((uintptr_t)address % PAGE_BYTES_MIN == 0); // else it could never succeed
    // A hint, then a check: MAP_FIXED_NOREPLACE is unknown to old kernels and to valgrind.
    void *at = os_map(address, bytes);
    if (at != NULL && at != address) {
        os_unmap(at, bytes);
        return NULL;
    }
    return at;
}

// The random number with index `number`. The stack canary comes from the same bytes: they cannot be
// inferred from the numbers returned here.
static uint64_t random_number(uint64_t number)
{
    uint64_t random[2] = {0, 0};
    const void *seed = (const void *)os_auxval(AT_RANDOM); // NOLINT: the kernel's pointer
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
    ASSERT(place < 8);
    // 20 random bits in steps of 2 MiB: 2 TiB; different bits for each place.
    uint64_t random = random_number(UINT64_MAX - place);
    uintptr_t address = HOLE_ADDRESS + place * HOLE_STEP + ((random & 0xfffff) << 21);
    ASSERT(address >= HOLE_ADDRESS);
    ASSERT(address < HOLE_ADDRESS + 8 * HOLE_STEP);
    return (void *)address; // NOLINT: we choose the address
}

uint64_t os_random(void)
{
    static _Atomic(uint64_t) g_calls;
    return random_number(atomic_fetch_add_explicit(&g_calls, 1, memory_order_relaxed) + 1);
}

void os_unmap(void *start, size_t bytes)
{
    unmap(start, bytes);
}

void os_move(void *from, void *to, size_t bytes)
{
    ASSERT(from != to);
    remap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

// MYALLOC_FORCE_PAGE: moves to an address that such a kernel could have chosen.
static void *remap_whole_pages(void *start, size_t old_bytes, size_t new_bytes)
{
    ASSERT(new_bytes != 0);
    size_t whole = align_up(new_bytes, os_page_bytes()); // a file may end in the middle of a page
    void *target = new_bytes > old_bytes ? map_whole_pages(whole, PROT_NONE) : start;
    if (target == NULL) {
        return NULL;
    }
    int flags = target != start ? MREMAP_MAYMOVE | MREMAP_FIXED : 0;
    return remap(start, old_bytes, new_bytes, flags, target);
}

void *os_remap(void *start, size_t old_bytes, size_t new_bytes)
{
    if (os_fail_now()) {
        return NULL;
    }
    return MYALLOC_FORCE_PAGE != 0 ? remap_whole_pages(start, old_bytes, new_bytes)
                                   : remap(start, old_bytes, new_bytes, MREMAP_MAYMOVE, NULL);
}

bool os_purge(void *start, size_t bytes)
{
    return !os_fail_now() && advise(start, bytes, MADV_DONTNEED) == 0;
}

bool os_protect(void *start, size_t bytes, bool is_usable)
{
    ASSERT((uintptr_t)start % PAGE_BYTES_MIN == 0);
    ASSERT(bytes != 0);
    long protection = is_usable ? PROT_READ | PROT_WRITE : PROT_NONE;
    return !os_fail_now() && raw_call(SYS_mprotect, (long)start, (long)bytes, protection, 0) == 0;
}

bool os_mark_hidden(void *start, size_t bytes, bool is_hidden)
{
    ASSERT(bytes != 0);
    int advice = is_hidden ? ADVICE_GUARD_INSTALL : ADVICE_GUARD_REMOVE;
    return !os_fail_now() && advise(start, bytes, advice) == 0;
}

void os_huge_pages(void *start, size_t bytes, bool wants)
{
    ASSERT(bytes % os_page_bytes() == 0);
    raw_advise(start, bytes, wants ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}
