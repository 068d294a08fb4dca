/* api.c - overflow, alignment, zeroing, errno: what the standard requires of each function.
 *
 * Owns:       errno: set here and nowhere else.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: API-1  errno changes only when the function fails.
 */
#include "front/api.h"

#include "front/fast.h"
#include "front/mode.h"
#include "pages/huge.h"
#include "base/fatal.h"
#include "base/os.h"
#include "base/symbol.h"
#include "base/options.h"
#include "front/block.h"
#include "front/start.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void *__libc_realloc(void *ptr, size_t bytes);
extern void __libc_free(void *ptr);

static NOINLINE COLD void *fail_with(int error)
{
    errno = error;
    return NULL;
}

// Allocates any size at any alignment: the common slow path. `is_sampled`: by the profile.
// *clean: in: zeros are wanted; out: all bytes are zero.
static void *allocate(size_t bytes, size_t alignment, bool is_sampled, bool *clean,
                      const void *caller)
{
    if (UNLIKELY(bytes > PTRDIFF_MAX)) {
        return fail_with(ENOMEM);
    }
    if (mode_is(&g_mode.is_quick) && !is_sampled) {
        void *usual = mode_allocate_quick_aligned(bytes, alignment, caller);
        if (LIKELY(usual != NULL)) {
            *clean = true;
            return usual;
        }
    }
    if (UNLIKELY(start_once() != START_SERVING)) {
        return start_mode() == START_FORWARDING ? __libc_memalign(alignment, bytes)
                                                : fail_with(ENOMEM);
    }
    void *ptr = UNLIKELY(is_sampled) ? block_allocate_sampled(bytes, alignment, clean, caller)
                                     : block_allocate(bytes, alignment, clean, caller);
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
    bool is_sampled = mode_wants(bytes);
    if (mode_is(&g_mode.samples) && !is_sampled) {
        void *usual = mode_allocate_sampled(bytes, caller);
        if (LIKELY(usual != NULL)) {
            return usual;
        }
    }
    bool clean = false;
    void *ptr = allocate(bytes, BLOCK_ALIGN_BYTES, is_sampled, &clean, caller);
    perturb_fill(ptr, bytes);
    if (mode_is(&g_mode.is_recorded)) {
        mode_record_allocation(MODE_MALLOC, bytes, 1, ptr);
    }
    return ptr;
}

// A request that the profile let pass and that missed the cache.
static SELDOM void *malloc_counted(size_t bytes, const void *caller)
{
    void *usual = block_allocate_usual(bytes, caller);
    if (UNLIKELY(usual == NULL)) {
        mode_uncount(bytes);
        usual = malloc_long(bytes, caller);
    }
    return usual;
}

static SELDOM void *malloc_hardened(size_t bytes, const void *caller)
{
    void *usual = mode_allocate_quick(bytes, caller);
    return LIKELY(usual != NULL) ? usual : malloc_long(bytes, caller);
}

// Only tail calls, so that it needs no frame.
static SELDOM void *malloc_profiled(size_t bytes, const void *caller)
{
    if (UNLIKELY(!mode_lets_pass(bytes))) {
        return malloc_long(bytes, caller);
    }
    if (CONFIG_RSEQ && LIKELY(bytes <= SMALL_BYTES_MAX)) {
        void *block = rseq_pop_class(t_thread.fast_area, g_small_class_of[bytes]);
        if (LIKELY(block != NULL)) {
            return block;
        }
    }
    return malloc_counted(bytes, caller);
}

static NOINLINE void *malloc_missed(size_t bytes, const void *caller)
{
    if (UNLIKELY(!mode_is_plain())) {
        return mode_is(&g_mode.profiles_alone) ? malloc_profiled(bytes, caller)
               : mode_is(&g_mode.is_quick)     ? malloc_hardened(bytes, caller)
                                               : malloc_long(bytes, caller);
    }
    void *usual = block_allocate_usual(bytes, caller);
    return LIKELY(usual != NULL) ? usual : malloc_long(bytes, caller);
}

// A hit of a medium or large class needs no frame either.
void *api_malloc_slow(size_t bytes)
{
    void *block;
    if (!CONFIG_RSEQ || bytes <= SMALL_BYTES_MAX || UNLIKELY(bytes > limit_slab_bytes()) ||
        UNLIKELY(!mode_is_plain())) {
        goto miss;
    }
    RSEQ_POP_OR_MISS(t_thread.fast_area, size_class_of(bytes), block);
    return block;
miss:
    return malloc_missed(bytes, CALLER());
}

static NOINLINE void free_long(void *ptr, const void *caller)
{
    if (mode_is(&g_mode.samples) && LIKELY(mode_free_sampled(ptr, caller))) {
        return;
    }
    if (mode_is(&g_mode.is_recorded)) {
        mode_record_free(ptr);
    }
    block_free(ptr, caller);
}

void api_free_slow(void *ptr)
{
    if (ptr == NULL) {
        return;
    }
    bool is_done = false;
    if (LIKELY(mode_frees_plainly())) {
        is_done = block_free_usual(ptr, CALLER());
    } else if (mode_is(&g_mode.is_quick)) {
        is_done = mode_free_quick(ptr, CALLER());
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

// The usable size of a block just allocated: calloc clears all of it, as glibc does.
static size_t usable_bytes(void *ptr)
{
    size_t index = page_map_find(ptr);
    unsigned bin = index != 0 ? page_map_bin(index) : 0;
    return LIKELY(bin != 0) ? size_class_bytes(bin - 1) : api_usable_size(ptr);
}

static NOINLINE void *calloc_slow(size_t bytes, const void *caller)
{
    if (UNLIKELY(start_mode() == START_FORWARDING)) {
        return __libc_calloc(1, bytes);
    }
    bool clean = true;
    void *ptr = allocate(bytes, BLOCK_ALIGN_BYTES, mode_wants(bytes), &clean, caller);
    if (ptr != NULL && !clean) {
        memset(ptr, 0, usable_bytes(ptr));
    }
    if (mode_is(&g_mode.is_recorded)) {
        mode_record_allocation(MODE_CALLOC, bytes, 1, ptr);
    }
    return ptr;
}

// A small calloc that missed the cache; calloc_slow records it as a calloc.
static NOINLINE void *calloc_missed(size_t bytes, const void *caller)
{
    void *usual = mode_is_plain() ? block_allocate_usual(bytes, caller) : NULL;
    return LIKELY(usual != NULL) ? memset(usual, 0, usable_bytes(usual))
                                 : calloc_slow(bytes, caller);
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
    size_t usable = size_class_bytes(g_small_class_of[total]);
    return LIKELY(block != NULL) ? memset(block, 0, usable) : calloc_missed(total, CALLER());
}

// Allocates the block to move to; NULL when out of memory.
static void *allocate_for_move(size_t old_bytes, size_t bytes, const void *caller)
{
    bool clean = false;
    if (UNLIKELY(mode_wants(bytes))) {
        return block_allocate_sampled(bytes, BLOCK_ALIGN_BYTES, &clean, caller);
    }
    void *block = mode_is(&g_mode.is_quick) ? mode_allocate_quick(bytes, caller) : fast_pop(bytes);
    if (LIKELY(block != NULL)) {
        return block;
    }
    return bytes > old_bytes ? block_allocate_growing(old_bytes, bytes, caller)
                             : block_allocate(bytes, BLOCK_ALIGN_BYTES, &clean, caller);
}

static void *realloc_by_copy(void *ptr, const struct block *block, size_t bytes, const void *caller)
{
    void *copy = allocate_for_move(block->bytes, bytes, caller);
    if (copy == NULL) { // a block that shrinks may stay, if need be
        return bytes <= block->bytes ? ptr : fail_with(ENOMEM);
    }
    memcpy(copy, ptr, min_size(block->bytes, bytes));
    if (LIKELY(mode_frees_plainly()) && block->kind == BLOCK_SLAB) {
        fast_free(ptr);
    } else if (!mode_is(&g_mode.is_quick) || !mode_free_quick(ptr, caller)) {
        block_free(ptr, caller);
    }
    return copy;
}

// realloc of a pointer that is not a block in use: dies or fails.
static NOINLINE COLD void *realloc_bad(void *ptr, const struct block *block, size_t bytes,
                                       const void *caller)
{
    size_t freed_bytes = block->kind == BLOCK_NONE ? huge_freed_bytes(ptr) : block->bytes;
    if (block->fault == BLOCK_FREED || (block->kind == BLOCK_NONE && freed_bytes != 0)) {
        fatal_realloc_freed(ptr, freed_bytes, caller);
    }
    void *owner = block_complain(ptr, block, SHADOW_REALLOC, caller);
    if (owner != NULL) {
        return ((void *(*)(void *, size_t))owner)(ptr, bytes);
    }
    return fail_with(ENOMEM); // foreign: of unknown size, so it cannot be copied
}

static void *realloc_block(void *ptr, size_t bytes, const void *caller)
{
    struct block block = block_find(ptr);
    if (UNLIKELY(block.fault != BLOCK_OK)) {
        return realloc_bad(ptr, &block, bytes, caller);
    }
    if (UNLIKELY(bytes > PTRDIFF_MAX)) {
        return fail_with(ENOMEM);
    }
    void *resized = block_resize(ptr, &block, bytes, caller);
    return resized != NULL ? resized : realloc_by_copy(ptr, &block, bytes, caller);
}

static NOINLINE COLD void *realloc_recorded(void *ptr, size_t bytes, const void *caller)
{
    uint64_t time = os_exact_ns();
    void *moved = realloc_block(ptr, bytes, caller);
    mode_record_realloc(time, bytes, ptr, moved);
    return moved;
}

void *api_realloc(void *ptr, size_t bytes)
{
    if (ptr == NULL) {
        return fast_malloc(bytes);
    }
    if (LIKELY(!mode_is(&g_mode.is_recorded)) && block_stays(ptr, bytes)) {
        return ptr;
    }
    if (UNLIKELY(start_mode() == START_FORWARDING)) {
        return __libc_realloc(ptr, bytes);
    }
    if (bytes == 0) {
        free_long(ptr, CALLER());
        return NULL;
    }
    return mode_is(&g_mode.is_recorded) ? realloc_recorded(ptr, bytes, CALLER())
                                        : realloc_block(ptr, bytes, CALLER());
}

static NOINLINE void *memalign_slow(size_t alignment, size_t bytes, const void *caller)
{
    // As in glibc: an alignment that is not a power of two is rounded up to one.
    if (alignment > SIZE_MAX / 2 + 1) {
        return fail_with(EINVAL);
    }
    size_t rounded = BLOCK_ALIGN_BYTES;
    while (rounded < alignment) {
        rounded *= 2;
    }
    bool clean = false;
    void *ptr = bytes > PTRDIFF_MAX - rounded
                    ? fail_with(ENOMEM)
                    : allocate(bytes, rounded, mode_wants(bytes), &clean, caller);
    perturb_fill(ptr, bytes);
    if (mode_is(&g_mode.is_recorded)) {
        mode_record_allocation(MODE_ALIGNED, bytes, rounded, ptr);
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
    // As the running libc does: glibc rounds other alignments up; since 2.38 it rejects them.
    if (UNLIKELY(!is_pow2(alignment)) && symbol_of_libc("strlcpy") != NULL) {
        return fail_with(EINVAL);
    }
    return api_memalign(alignment, bytes);
}

int api_posix_memalign(void **result, size_t alignment, size_t bytes)
{
    if (!is_pow2(alignment) || alignment % sizeof(void *) != 0) {
        return EINVAL;
    }
    void *ptr = api_memalign(alignment, bytes);
    if (ptr == NULL) {
        return ENOMEM; // also in errno, as glibc sets it
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

static NOINLINE COLD size_t usable_of_bad(void *ptr, const struct block *block, const void *caller)
{
    bool is_foreign = block->fault == BLOCK_UNKNOWN && g_options.foreign == FOREIGN_IGNORE;
    void *owner = is_foreign ? shadow_owner(SHADOW_USABLE_SIZE) : NULL;
    if (owner != NULL) {
        return ((size_t(*)(void *))owner)(ptr);
    }
    if (mode_is(&g_mode.is_hardened) && block->fault != BLOCK_OF_POOL) {
        fatal_wrong_look(ptr, block->bytes, caller);
    }
    return 0;
}

size_t api_usable_size(void *ptr)
{
    if (ptr == NULL) {
        return 0;
    }
    struct block block = block_find(ptr);
    return LIKELY(block.fault == BLOCK_OK) ? block.bytes : usable_of_bad(ptr, &block, CALLER());
}

COLD void api_check_sized(void *ptr, size_t alignment, size_t bytes, const void *caller)
{
    if (ptr == NULL) {
        return;
    }
    struct block block = block_find(ptr);
    if (block.fault == BLOCK_OK && block.kind != BLOCK_EMERGENCY && // else free reports the fault
        !mode_is_like(&block, ptr, bytes, alignment)) {
        fatal_wrong_size(ptr, block.bytes, caller);
    }
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
