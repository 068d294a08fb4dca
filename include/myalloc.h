/* myalloc.h - what libmyalloc offers beyond malloc(3): link with it, or look it up with dlsym.
 *
 * Programs need none of this: LD_PRELOAD=/path/libmyalloc.so is enough. Unless stated otherwise all
 * functions are thread-safe, keep errno unless they fail, and may be called at any time once the
 * process has started.
 */
#ifndef MYALLOC_H
#define MYALLOC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header; everything else takes the version from this line. */
#define MYALLOC_VERSION "0.2.0"

/* The version of the running library, "MAJOR.MINOR.PATCH". Never NULL. */
const char *myalloc_version(void);

/* Statistics of the heap; bytes unless the name says otherwise. */
struct myalloc_stats {
    size_t live;         /* in use by the program, as malloc_usable_size counts */
    size_t cached;       /* free blocks in magazines, per CPU and shared */
    size_t free_dirty;   /* free spans that may be resident */
    size_t free_clean;   /* free spans that were purged or never touched */
    size_t brk;          /* below the program break */
    size_t mapped;       /* the region's own mappings, if the break cannot be used */
    size_t region_peak;  /* highest brk + mapped */
    size_t huge;         /* live mappings of one block each */
    size_t huge_peak;    /* highest */
    size_t huge_cached;  /* freed mappings kept for reuse */
    size_t purged_total; /* returned to the kernel so far, by madvise */
    size_t brk_grows;    /* times that the region grew */
    size_t brk_shrinks;  /* times that it shrank */
    size_t pools;        /* held by pools, used or not; not part of live */
};

/* Fills *stats and returns 0. `size` is sizeof *stats as the caller was built: fields that this
 * library does not know are set to zero. Returns -1 when stats is NULL or size is 0.
 * Walks the tables of the heap: microseconds per MiB of heap, not for hot paths. */
int myalloc_stats(struct myalloc_stats *stats, size_t size);

/* Returns all free memory to the kernel that can be reached: the caches of all CPUs (only of this
 * CPU or thread if the kernel does not support membarrier), free spans, single free pages, the end
 * of the break. Returns 1 if anything was returned, else 0; the same as malloc_trim(0). */
int myalloc_purge(void);

/* 1 if ptr is the start of a block of this library in use, as far as can be known, else 0.
 * Does not dereference ptr: any address may be passed. */
int myalloc_owns(const void *ptr);

/* ---- Files as memory ---- */

#define MYALLOC_MAP_WRITE 1U

/* Maps a whole file, and stores its length in *bytes; NULL and errno on failure.
 * Flags 0: read only, private to this process; a store faults.
 * MYALLOC_MAP_WRITE: read and write, shared: every process that maps the file sees stores at once,
 * and so does every later reader of the file. A missing file is created (mode 0666 less the umask);
 * one shorter than *bytes on entry is extended to that length by zeros, whose disk space is
 * allocated. If another process truncates the file later, access raises SIGBUS.
 * EINVAL: bytes is NULL, or an unknown flag. ENODATA: the file is empty. EFBIG: RLIMIT_FSIZE (no
 * signal). ENOSPC, EDQUOT, EACCES, ENOENT and others: as open(2), fallocate(2) and mmap(2). */
void *myalloc_map_file(const char *path, size_t *bytes, unsigned flags);

/* Maps a part of a file as myalloc_map_file does, from any `offset` on. *bytes on entry is its
 * length; 0: to the end of the file. A part to read is cut where the file ends; a file to write is
 * extended to hold all of it. ENODATA: the file ends at or before offset. EFBIG: also if no file
 * can be that long. Only the pages of the part are mapped; the program must not write to the rest
 * of the first and the last one. */
void *myalloc_map_part(const char *path, size_t offset, size_t *bytes, unsigned flags);

/* Waits until all stores have reached the disk, as fsync(2) does. Returns 0, or -1 and errno:
 * EINVAL if no such mapping begins at start, EIO. Without it the kernel writes when it sees fit:
 * stores survive the process, not a crash of the machine. */
int myalloc_map_sync(void *start);

/* Grows a writable mapping to `bytes`, and its file as needed; returns the mapping, possibly moved.
 * NULL: it is unchanged; EINVAL if it is not a mapping, not writable, or already longer; EBADF if
 * the program closed our descriptor of the file; ENOSPC and others as above. No other thread may
 * use the old address meanwhile. */
void *myalloc_map_grow(void *start, size_t bytes);

/* Unmaps a file; returns 0, or -1 and EINVAL if no mapping begins at start. All stores are in the
 * file. The child of a fork has the mappings of its parent: shared ones stay shared. */
int myalloc_unmap_file(void *start);

/* ---- The heap walk ---- */

enum myalloc_tier {
    MYALLOC_SMALL = 1,  /* up to 1024 bytes: a block of a slab */
    MYALLOC_MEDIUM = 2, /* up to 32 KiB: a block of a slab */
    MYALLOC_LARGE = 3,  /* up to 256 KiB a block of a slab, or a span; or a free span of no tier */
    MYALLOC_HUGE = 4,   /* a mapping of its own */
    MYALLOC_POOL = 5    /* a pool chunk, as a whole */
};

enum myalloc_block_state {
    MYALLOC_IN_USE = 1, /* in use by the program */
    MYALLOC_CACHED = 2, /* free, in the cache of a CPU or of mappings */
    MYALLOC_FREE = 3    /* free, on its slab, or a free span */
};

struct myalloc_block {
    const void *address;
    size_t bytes; /* as malloc_usable_size returns; if free, its length */
    int tier;     /* enum myalloc_tier */
    int state;    /* enum myalloc_block_state */
};

/* Calls callback(block, argument) for every block of a snapshot, in use or free: those of the heap
 * by ascending address, then the mappings; blocks that were never handed out are skipped. Stops
 * when the callback returns nonzero, and returns that value; 0 at the end. -1 and ENOMEM when there
 * is no memory for the snapshot, about 2 % of the heap, mapped outside of it.
 *
 * No lock is held while the callback runs: it may allocate, free, and walk, which does not affect
 * this walk. With other threads running, a reported block may have been freed: the callback must
 * not read it. Exact while no other thread allocates or frees, including small blocks in the caches
 * of CPUs. Threads that allocate meanwhile are blocked at most while the snapshot is taken, and
 * their blocks may be reported in their state slightly before or after. */
int myalloc_walk(int (*callback)(const struct myalloc_block *block, void *argument),
                 void *argument);

/* ---- Pools: many blocks that are freed together, or kept apart from the rest of the heap ----
 *
 * A pool allocates spans of the heap (pool chunks: 128 KiB at first, later a quarter of its size,
 * at most 1 MiB) and cuts them into blocks, of one size or of any. Their metadata is at the start
 * of each pool chunk, not between the blocks: 1.6 % of it. Blocks begin at multiples of 16; those
 * of a fixed size at multiples of the largest power of two that divides it, up to 4096: with 192
 * bytes at multiples of 64. They are not cleared.
 *
 * A block of a pool is not a block of malloc: free and realloc of one end the program with a
 * message, malloc_usable_size and myalloc_owns return 0. A double free, a pointer inside a block, a
 * pointer of another pool or of malloc passed to myalloc_pool_free, and the use of a destroyed pool
 * also end the program, as long as the chunk belongs to the pool.
 *
 * Without MYALLOC_POOL_ONE_THREAD, all functions except myalloc_pool_destroy may be called on one
 * pool by many threads at once, and after fork the child has an intact copy. With it, there is no
 * lock: one thread at a time, and no other thread inside a call when the process forks.
 * None is async-signal-safe. */
struct myalloc_pool;

#define MYALLOC_POOL_ONE_THREAD 1U

/* Creates a pool of blocks of block_bytes each (rounded up to a multiple of 16), or of any size if
 * block_bytes is 0. It holds no memory at first. NULL and EINVAL for an unknown flag, NULL and
 * ENOMEM when out of memory or for blocks that no memory can hold, NULL and ENOTSUP in a program
 * that MYALLOC_EXCLUDE names. */
struct myalloc_pool *myalloc_pool_create(size_t block_bytes, unsigned flags);

/* Allocates at least `bytes` (also 0); the contents are undefined. NULL and EINVAL if `bytes` is
 * more than the fixed size, NULL and ENOMEM when out of memory. In a pool of any size a block above
 * 64 KiB has its own chunk; others are cut from the shortest of the first few free
 * pieces that fit. */
void *myalloc_pool_alloc(struct myalloc_pool *pool, size_t bytes);

/* The same, at a multiple of `alignment`, a power of two. NULL and EINVAL if it is none, or exceeds
 * the alignment of blocks of the fixed size. */
void *myalloc_pool_alloc_aligned(struct myalloc_pool *pool, size_t alignment, size_t bytes);

/* Frees a block; NULL is ignored. It is coalesced with free neighbours; a chunk without blocks is
 * returned to the heap unless it is the only such one. Keeps errno. */
void myalloc_pool_free(struct myalloc_pool *pool, void *block);

/* Frees all blocks at once, in time per chunk, not per block. The pool keeps its chunks. */
void myalloc_pool_reset(struct myalloc_pool *pool);

/* Frees all blocks, returns all memory to the heap, and destroys the pool; NULL is ignored. */
void myalloc_pool_destroy(struct myalloc_pool *pool);

struct myalloc_pool_stats {
    size_t block_bytes;  /* fixed size, 0: any */
    size_t blocks;       /* in use */
    size_t used;         /* bytes in use, as rounded up */
    size_t used_peak;    /* highest */
    size_t chunks;       /* spans that the pool holds */
    size_t held;         /* their bytes */
    size_t free_pieces;  /* free blocks of the fixed size; else free ranges between blocks */
    size_t longest_free; /* bytes of the longest one */
};

/* As myalloc_stats, for one pool: 0, or -1 if stats is NULL or size is 0. */
int myalloc_pool_stats(struct myalloc_pool *pool, struct myalloc_pool_stats *stats, size_t size);

#ifdef __cplusplus
}
#endif

#endif
