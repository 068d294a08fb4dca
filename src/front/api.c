/* api.c - overflow, alignment, zeroing, errno: what the standard says of each function.
 *
 * Owns:       errno: set here and nowhere else.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: API-1  errno changes only where the function fails.
 */
#include "front/api.h"

#include "front/fast.h"
#include "trace/recorder.h"
#include "pages/huge.h"
#include "pages/limit.h"
#include "base/os.h"
#include "base/options.h"
#include "front/block.h"
#include "profile/profile.h"
#include "sampling/guard.h"
#include "hardened/hardened.h"
#include "sampling/sampled.h"
#include "front/start.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void *__libc_realloc(void *ptr, size_t bytes);
extern void __libc_free(void *ptr);

static NOINLINE COLD void *fail_with(int error)
{
    errno = error;
    return NULL;
}

// The one way to memory: any size, any alignment. `is_sampled`: by the profile.
static void *take(size_t bytes, size_t alignment, bool is_sampled, bool *clean, const void *caller)
{
    *clean = false;
    if (UNLIKELY(bytes > PTRDIFF_MAX)) {
        return fail_with(ENOMEM);
    }
    if (UNLIKELY(g_harden.is_quick) && !is_sampled) {
        void *usual = hardened_take_aligned(bytes, alignment, caller);
        if (LIKELY(usual != NULL)) {
            *clean = true;
            return usual;
        }
    }
    if (UNLIKELY(start_once() != START_SERVING)) {
        return start_mode() == START_FORWARDING ? __libc_memalign(alignment, bytes)
                                                : fail_with(ENOMEM);
    }
    void *ptr = UNLIKELY(is_sampled) ? block_take_sampled(bytes, alignment, clean, caller)
                                     : block_take(bytes, alignment, clean, caller);
    if (UNLIKELY(ptr == NULL)) {
        return fail_with(ENOMEM);
    }
    return ptr;
}

static void perturb_fill(void *ptr, size_t bytes)
{
    if (UNLIKELY(g_options.perturb != 0) && ptr != NULL) {
        memset(ptr, (int)(g_options.perturb ^ 0xff), bytes);
    }
}

static NOINLINE void *malloc_long(size_t bytes, const void *caller)
{
    bool is_sampled = profile_wants(bytes);
    if (g_guard.every != 0 && !is_sampled) {
        void *usual = sampled_take_usual(bytes, caller);
        if (LIKELY(usual != NULL)) {
            return usual;
        }
    }
    bool clean;
    void *ptr = take(bytes, BLOCK_ALIGN_BYTES, is_sampled, &clean, caller);
    perturb_fill(ptr, bytes);
    if (record_is_on()) {
        recorder_take(TRACE_MALLOC, bytes, 1, ptr);
    }
    return ptr;
}

// A request that the profile let pass, and that found no block at hand.
static SELDOM void *malloc_counted(size_t bytes, const void *caller)
{
    void *usual = block_take_usual(bytes, caller);
    if (UNLIKELY(usual == NULL)) {
        profile_uncount(bytes);
        usual = malloc_long(bytes, caller);
    }
    return usual;
}

static SELDOM void *malloc_hardened(size_t bytes, const void *caller)
{
    void *usual = hardened_take_usual(bytes, caller);
    return LIKELY(usual != NULL) ? usual : malloc_long(bytes, caller);
}

// It calls nothing, so that it needs no frame.
static SELDOM void *malloc_profiled(size_t bytes, const void *caller)
{
    if (UNLIKELY(!profile_lets_pass(bytes))) {
        return malloc_long(bytes, caller);
    }
    if (LIKELY(bytes <= SMALL_BYTES_MAX)) {
        void *block = rseq_pop_class(t_thread.fast_area, g_small_class_of[bytes]);
        if (LIKELY(block != NULL)) {
            return block;
        }
    }
    return malloc_counted(bytes, caller);
}

void *api_malloc_slow(size_t bytes)
{
    if (UNLIKELY(!start_is_plain())) {
        return profile_is_quick()  ? malloc_profiled(bytes, CALLER())
               : g_harden.is_quick ? malloc_hardened(bytes, CALLER())
                                   : malloc_long(bytes, CALLER());
    }
    void *usual = block_take_usual(bytes, CALLER());
    return LIKELY(usual != NULL) ? usual : malloc_long(bytes, CALLER());
}

static NOINLINE void free_long(void *ptr, const void *caller)
{
    if (g_guard.every != 0 && LIKELY(sampled_give_usual(ptr, caller))) {
        return;
    }
    if (record_is_on()) {
        recorder_give(ptr);
    }
    block_give(ptr, caller);
}

void api_free_slow(void *ptr)
{
    if (ptr == NULL) {
        return;
    }
    bool is_done = false;
    if (LIKELY(start_frees_plainly())) {
        is_done = block_give_usual(ptr, CALLER());
    } else if (g_harden.is_quick) {
        is_done = hardened_give_usual(ptr, CALLER());
    }
    if (UNLIKELY(!is_done)) {
        free_long(ptr, CALLER());
    }
}

void *api_malloc(size_t bytes)
{
    return fast_malloc(bytes);
}

void api_free(void *ptr)
{
    fast_free(ptr);
}

static NOINLINE void *calloc_slow(size_t bytes, const void *caller)
{
    bool clean;
    void *ptr = take(bytes, BLOCK_ALIGN_BYTES, profile_wants(bytes), &clean, caller);
    if (ptr != NULL && !clean) {
        memset(ptr, 0, bytes);
    }
    if (record_is_on()) {
        recorder_take(TRACE_CALLOC, bytes, 1, ptr);
    }
    return ptr;
}

// A small calloc that found no block at hand: the record calls it by its name.
static NOINLINE void *calloc_missed(size_t bytes, const void *caller)
{
    void *usual = start_is_plain() ? block_take_usual(bytes, caller) : NULL;
    return LIKELY(usual != NULL) ? memset(usual, 0, bytes) : calloc_slow(bytes, caller);
}

void *api_calloc(size_t count, size_t bytes)
{
    size_t total;
    if (UNLIKELY(__builtin_mul_overflow(count, bytes, &total))) {
        return fail_with(ENOMEM);
    }
    if (total > SMALL_BYTES_MAX) {
        return calloc_slow(total, CALLER());
    }
    void *block = fast_pop(total);
    return LIKELY(block != NULL) ? memset(block, 0, total) : calloc_missed(total, CALLER());
}

// A block to move to; NULL without memory.
static void *take_for_move(size_t old_bytes, size_t bytes, const void *caller)
{
    bool clean;
    if (UNLIKELY(profile_wants(bytes))) {
        return block_take_sampled(bytes, BLOCK_ALIGN_BYTES, &clean, caller);
    }
    void *block = g_harden.is_quick ? hardened_take_usual(bytes, caller) : fast_pop(bytes);
    if (LIKELY(block != NULL)) {
        return block;
    }
    return bytes > old_bytes ? block_take_growing(old_bytes, bytes, caller)
                             : block_take(bytes, BLOCK_ALIGN_BYTES, &clean, caller);
}

static void *realloc_by_copy(void *ptr, const struct block *block, size_t bytes, const void *caller)
{
    void *copy = take_for_move(block->bytes, bytes, caller);
    if (copy == NULL) {
        return fail_with(ENOMEM);
    }
    memcpy(copy, ptr, min_size(block->bytes, bytes));
    if (LIKELY(start_frees_plainly()) && block->kind == BLOCK_SLAB) {
        fast_free(ptr);
    } else if (!g_harden.is_quick || !hardened_give_usual(ptr, caller)) {
        block_give(ptr, caller);
    }
    return copy;
}

// What realloc does with a pointer that is no block in use: dies, or refuses.
static void *realloc_bad(void *ptr, const struct block *block, const void *caller)
{
    size_t freed_bytes = block->kind == BLOCK_NONE ? huge_freed_bytes(ptr) : block->bytes;
    if (block->fault == BLOCK_FREED || (block->kind == BLOCK_NONE && freed_bytes != 0)) {
        fatal_realloc_freed(ptr, freed_bytes, caller);
    }
    block_complain(ptr, block, caller);
    return fail_with(ENOMEM); // foreign: its size is unknown, it cannot be copied
}

static void *realloc_block(void *ptr, size_t bytes, const void *caller)
{
    struct block block = block_find(ptr);
    if (UNLIKELY(block.fault != BLOCK_OK)) {
        return realloc_bad(ptr, &block, caller);
    }
    if (UNLIKELY(bytes > PTRDIFF_MAX)) {
        return fail_with(ENOMEM);
    }
    void *resized = block_resize(ptr, &block, bytes, caller);
    return resized != NULL ? resized : realloc_by_copy(ptr, &block, bytes, caller);
}

static NOINLINE COLD void *realloc_recorded(void *ptr, size_t bytes, const void *caller)
{
    uint64_t time = os_now_ns();
    void *moved = realloc_block(ptr, bytes, caller);
    recorder_move(time, bytes, ptr, moved);
    return moved;
}

void *api_realloc(void *ptr, size_t bytes)
{
    if (ptr == NULL) {
        return fast_malloc(bytes);
    }
    if (LIKELY(!record_is_on()) && block_stays(ptr, bytes)) {
        return ptr;
    }
    if (UNLIKELY(start_mode() == START_FORWARDING)) {
        return __libc_realloc(ptr, bytes);
    }
    if (bytes == 0) {
        free_long(ptr, CALLER());
        return NULL;
    }
    return record_is_on() ? realloc_recorded(ptr, bytes, CALLER())
                          : realloc_block(ptr, bytes, CALLER());
}

static NOINLINE void *memalign_slow(size_t alignment, size_t bytes, const void *caller)
{
    // As in glibc: no power of two is rounded up to one.
    if (alignment > SIZE_MAX / 2 + 1) {
        return fail_with(EINVAL);
    }
    size_t rounded = BLOCK_ALIGN_BYTES;
    while (rounded < alignment) {
        rounded *= 2;
    }
    bool clean;
    void *ptr = bytes > PTRDIFF_MAX - rounded
                    ? fail_with(ENOMEM)
                    : take(bytes, rounded, profile_wants(bytes), &clean, caller);
    perturb_fill(ptr, bytes);
    if (record_is_on()) {
        recorder_take(TRACE_ALIGNED, bytes, rounded, ptr);
    }
    return ptr;
}

void *api_memalign(size_t alignment, size_t bytes)
{
    // CLASS-3: every block of the class of a rounded size lies at a multiple of the alignment
    if (LIKELY(is_pow2(alignment) && alignment <= SMALL_BYTES_MAX && bytes <= SMALL_BYTES_MAX)) {
        size_t rounded = align_up(max_size(bytes, 1), alignment);
        void *block = fast_pop(rounded);
        if (LIKELY(block != NULL)) {
            return block;
        }
    }
    return memalign_slow(alignment, bytes, CALLER());
}

void *api_aligned_alloc(size_t alignment, size_t bytes)
{
    if (!is_pow2(alignment)) {
        return fail_with(EINVAL);
    }
    return api_memalign(alignment, bytes);
}

int api_posix_memalign(void **result, size_t alignment, size_t bytes)
{
    if (!is_pow2(alignment) || alignment % sizeof(void *) != 0) {
        return EINVAL;
    }
    int saved = errno;
    void *ptr = api_memalign(alignment, bytes);
    errno = saved; // the error is the result
    if (ptr == NULL) {
        return ENOMEM;
    }
    *result = ptr;
    return 0;
}

void *api_valloc(size_t bytes)
{
    return api_memalign(os_page_bytes(), bytes);
}

void *api_pvalloc(size_t bytes)
{
    size_t page = os_page_bytes();
    if (bytes > PTRDIFF_MAX - page) {
        return fail_with(ENOMEM);
    }
    return api_memalign(page, align_up(max_size(bytes, 1), page));
}

size_t api_usable_size(void *ptr)
{
    if (ptr == NULL) {
        return 0;
    }
    struct block block = block_find(ptr);
    return block.fault == BLOCK_OK ? block.bytes : 0;
}

int api_malloc_trim(size_t pad_bytes)
{
    if (start_once() != START_SERVING) {
        return 0;
    }
    int saved = errno;
    bool released = block_trim(pad_bytes, CALLER());
    errno = saved; // API-1
    return released;
}

int api_mallopt(int parameter, int value)
{
    if (start_once() != START_SERVING) {
        return 0;
    }
    size_t bytes = (size_t)(long)value; // -1: the largest, as in glibc
    switch (parameter) {
    case M_MMAP_THRESHOLD:
        if (bytes > LARGE_BYTES_LIMIT) {
            return 0;
        }
        limit_set(max_size(bytes, 1));
        return 1;
    case M_TRIM_THRESHOLD:
        g_options.trim_bytes = bytes;
        start_configure_purge();
        return 1;
    case M_TOP_PAD:
        g_options.top_pad_bytes = bytes;
        start_configure_purge();
        return 1;
    case M_PERTURB:
        g_options.perturb = (unsigned)value & 0xff;
        if (g_options.perturb != 0) {
            g_harden.is_quick = false;
            start_choose_paths();
        }
        return 1;
    case M_ARENA_MAX: // threads share one region: there is nothing to limit further
    case M_ARENA_TEST:
    case M_MMAP_MAX:
    case M_CHECK_ACTION:
        return 1;
    case M_MXFAST:
        return value >= 0 && bytes <= 160;
    default:
        return 0;
    }
}
