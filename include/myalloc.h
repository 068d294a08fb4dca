/* myalloc.h - what libmyalloc offers beyond malloc(3): link with it, or look it up with dlsym.
 *
 * Programs need none of this: LD_PRELOAD=/path/libmyalloc.so is enough. All functions are
 * thread-safe, keep errno, and may be called at any time after the start of the process.
 */
#ifndef MYALLOC_H
#define MYALLOC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that runs, "MAJOR.MINOR.PATCH". Never NULL. */
const char *myalloc_version(void);

/* What the heap is doing; bytes unless the name says otherwise. */
struct myalloc_stats {
    size_t live;         /* in the program's hands, as malloc_usable_size counts */
    size_t cached;       /* free blocks at hand in bins, magazines and transfer pools */
    size_t free_dirty;   /* free runs that are perhaps resident */
    size_t free_clean;   /* free runs that were given back to the kernel, or never touched */
    size_t brk;          /* of the program break */
    size_t mapped;       /* of the region's own mappings, where there is no break */
    size_t region_peak;  /* highest brk + mapped */
    size_t huge;         /* live mappings of one block each */
    size_t huge_peak;    /* highest */
    size_t huge_cached;  /* freed mappings kept for reuse */
    size_t purged_total; /* given back to the kernel so far, by madvise */
    size_t brk_grows;    /* times that the region grew */
    size_t brk_shrinks;  /* times that it shrank */
};

/* Fills *stats and returns 0. `size` is sizeof *stats as the caller was built: what a newer caller
 * knows and this library does not is set to zero. Returns -1 when stats is NULL or size is 0.
 * Walks the tables of the heap: microseconds per MiB of heap, not for hot paths. */
int myalloc_stats(struct myalloc_stats *stats, size_t size);

/* Gives everything free that can be reached back to the kernel: this thread's caches, the heaps of
 * dead threads, free runs, single free pages, the end of the break. Returns 1 when something was
 * given back, else 0; the same as malloc_trim(0). */
int myalloc_purge(void);

/* 1 when ptr is the start of a block in use of this library, as far as can be known, else 0.
 * Never dereferences ptr: any address may be asked for. */
int myalloc_owns(const void *ptr);

#ifdef __cplusplus
}
#endif

#endif
