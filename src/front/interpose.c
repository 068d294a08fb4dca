/* interpose.c - the public names.
 *
 * Owns:       the public names of the malloc family, dlopen and _exit. libmyalloc.map lists all:
 *             those of include/myalloc.h are in extensions/ and files.c, vfork in vfork_*.S.
 * Threads:    any.
 * Locks:      none.
 * Invariants: INTERPOSE-1  when the program brings its own malloc, our other exports must not hand
 *             out our blocks: they call the program's malloc, or libc's.
 *
 * Deliberately not exported: strdup and the like, C++ operators, __libc_*: see hazards H3 and H4.
 */
#include "front/api.h"
#include "front/block.h"
#include "front/fast.h"
#include "front/fork.h"
#include "front/report.h"
#include "front/shadow.h"
#include "front/statistics.h"
#include "base/check.h"
#include "base/config.h"
#include "base/line.h"
#include "base/fatal.h"
#include "base/os.h"
#include "front/mode.h"
#include "base/symbol.h"
#include "base/options.h"
#include "front/start.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void *__libc_realloc(void *ptr, size_t bytes);

void free_sized(void *ptr, size_t bytes);
void free_aligned_sized(void *ptr, size_t alignment, size_t bytes);
void cfree(void *ptr);

// Each begins a cache line.
EXPORT ALIGNED(64) void *malloc(size_t bytes)
{
    return fast_malloc(bytes);
}

EXPORT ALIGNED(64) void free(void *ptr)
{
    fast_free(ptr);
}

// Our malloc under a name that cannot be interposed.
extern HIDDEN void *own_malloc(size_t bytes)
    __attribute__((alias("malloc"), malloc, leaf, nothrow, alloc_size(1)));

// True when `malloc` is another one: the program's own, or that of an earlier preload.
static inline bool is_shadowed(void)
{
    const void *own = opaque_address((const void *)&own_malloc);
    return !CONFIG_STATIC && UNLIKELY((const void *)&malloc != own) && // INTERPOSE-1
           shadow_is_active((const void *)&malloc);
}

static COLD void *shadowed_calloc(size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    void *ptr = malloc(total);
    return ptr != NULL ? memset(ptr, 0, total) : NULL;
}

EXPORT void *calloc(size_t count, size_t bytes)
{
    return is_shadowed() ? shadowed_calloc(count, bytes) : api_calloc(count, bytes);
}

EXPORT void *realloc(void *ptr, size_t bytes)
{
    return is_shadowed() ? __libc_realloc(ptr, bytes) : api_realloc(ptr, bytes);
}

EXPORT void *reallocarray(void *ptr, size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(ptr, total); // ours or another
}

EXPORT void *memalign(size_t alignment, size_t bytes)
{
    return is_shadowed() ? __libc_memalign(alignment, bytes) : api_memalign(alignment, bytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t bytes)
{
    return is_shadowed() ? __libc_memalign(alignment, bytes) : api_aligned_alloc(alignment, bytes);
}

EXPORT int posix_memalign(void **result, size_t alignment, size_t bytes)
{
    if (!is_shadowed()) {
        return api_posix_memalign(result, alignment, bytes);
    }
    if (!is_pow2(alignment) || alignment % sizeof(void *) != 0) {
        return EINVAL;
    }
    void *ptr = __libc_memalign(alignment, bytes);
    if (ptr == NULL) {
        return ENOMEM;
    }
    *result = ptr;
    return 0;
}

EXPORT void *valloc(size_t bytes)
{
    return is_shadowed() ? __libc_memalign(os_page_bytes(), bytes) : api_valloc(bytes);
}

EXPORT void *pvalloc(size_t bytes)
{
    size_t page = os_page_bytes();
    if (!is_shadowed()) {
        return api_pvalloc(bytes);
    }
    if (bytes > PTRDIFF_MAX - page) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_memalign(page, align_up(bytes, page));
}

// The next definition after ours in lookup order; libc has every name that we look up.
static void *next_symbol(const char *name)
{
    void *found = CONFIG_STATIC ? NULL : symbol_behind(RTLD_NEXT, name);
    ASSERT(CONFIG_STATIC || found != NULL);
    return found;
}

// True when the calls below are about another heap: shadowed, or an excluded program.
static inline bool is_bystander(void)
{
    return !CONFIG_STATIC && (is_shadowed() || UNLIKELY(start_once() == START_FORWARDING));
}

EXPORT size_t malloc_usable_size(void *ptr)
{
    if (is_bystander()) {
        size_t (*next)(void *) = (size_t(*)(void *))next_symbol("malloc_usable_size");
        return next(ptr);
    }
    return api_usable_size(ptr);
}

// The sizes are hints that we do not need: the page map has the size. Hardened mode compares them.
EXPORT void free_sized(void *ptr, size_t bytes)
{
    if (mode_is(&g_mode.is_hardened)) {
        api_check_sized(ptr, BLOCK_ALIGN_BYTES, bytes, CALLER());
    }
    free(ptr);
}

EXPORT void free_aligned_sized(void *ptr, size_t alignment, size_t bytes)
{
    if (mode_is(&g_mode.is_hardened)) {
        api_check_sized(ptr, alignment, bytes, CALLER());
    }
    free(ptr);
}

EXPORT void cfree(void *ptr)
{
    free(ptr);
}

EXPORT int malloc_trim(size_t pad_bytes)
{
    if (is_bystander()) {
        int (*next)(size_t) = (int (*)(size_t))next_symbol("malloc_trim");
        return next(pad_bytes);
    }
    return api_malloc_trim(pad_bytes);
}

EXPORT int mallopt(int parameter, int value)
{
    if (is_bystander()) {
        int (*next)(int, int) = (int (*)(int, int))next_symbol("mallopt");
        return next(parameter, value);
    }
    return api_mallopt(parameter, value);
}

EXPORT struct mallinfo mallinfo(void)
{
    if (is_bystander()) {
        struct mallinfo (*next)(void) = (struct mallinfo(*)(void))next_symbol("mallinfo");
        return next();
    }
    return api_mallinfo();
}

EXPORT struct mallinfo2 mallinfo2(void)
{
    if (is_bystander()) {
        struct mallinfo2 (*next)(void) = (struct mallinfo2(*)(void))next_symbol("mallinfo2");
        return next();
    }
    return api_mallinfo2();
}

EXPORT int malloc_info(int options, FILE *stream)
{
    if (is_bystander()) {
        int (*next)(int, FILE *) = (int (*)(int, FILE *))next_symbol("malloc_info");
        return next(options, stream);
    }
    return api_malloc_info(options, stream);
}

EXPORT void malloc_stats(void)
{
    if (is_bystander()) {
        void (*next)(void) = (void (*)(void))next_symbol("malloc_stats");
        next();
        return;
    }
    api_malloc_stats();
}

// ---- dlopen without RTLD_DEEPBIND ----

static NOINLINE COLD int without_deepbind(const char *file, int flags)
{
    if (g_options.deepbind == DEEPBIND_WARN) {
        struct line line = {.used = 0};
        line_add(&line, "myalloc: warning: dlopen of '");
        line_add(&line, file != NULL ? file : "");
        line_add(&line, "' with RTLD_DEEPBIND: flag removed");
        line_write(&line, STDERR_FILENO);
    }
    return flags & ~RTLD_DEEPBIND;
}

// A plugin opened with RTLD_DEEPBIND would call libc's free with our pointers. The real dlopen
// finds its caller by the return address (RUNPATH, $ORIGIN, namespace): hence a tail call, see test
// H1.
EXPORT void *dlopen(const char *file, int flags)
{
    void *(*next)(const char *, int) = (void *(*)(const char *, int))next_symbol("dlopen");
    if (UNLIKELY((flags & RTLD_DEEPBIND) != 0) && g_options.deepbind != DEEPBIND_KEEP &&
        start_mode() != START_FORWARDING && !is_shadowed()) {
        flags = without_deepbind(file, flags);
    }
    return next(file, flags);
}

// ---- the end ----

// exit() ends in libc's own _exit, after our destructor: only programs that skip destructors get
// here.
EXPORT void _exit(int status)
{
    statistics_end();
    os_exit(status);
}

EXPORT void _Exit(int status) __attribute__((alias("_exit")));

CONSTRUCTOR static void interpose_start(void)
{
    fork_register();
    if (os_env("MYALLOC_CONF") != NULL && !is_shadowed()) {
        statistics_start(); // starts the allocator: only if options may ask for numbers
        mode_arm(block_purge, block_trim);
    }
}
