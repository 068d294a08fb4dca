/* myalloc.h - what libmyalloc offers beyond malloc(3): link with it, or look it up with dlsym.
 *
 * Programs need none of this: LD_PRELOAD=/path/libmyalloc.so is enough. All functions are
 * thread-safe, keep errno unless they fail, and may be called at any time after the start of the
 * process, where nothing else is said.
 */
#ifndef MYALLOC_H
#define MYALLOC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header; all else that names a version takes it from this line. */
#define MYALLOC_VERSION "0.2.0"

/* The version of the library that runs, "MAJOR.MINOR.PATCH". Never NULL. */
const char *myalloc_version(void);

/* What the heap is doing; bytes unless the name says otherwise. */
struct myalloc_stats {
    size_t live;         /* in the program's hands, as malloc_usable_size counts */
    size_t cached;       /* free blocks at hand in magazines, of CPUs and of all */
    size_t free_dirty;   /* free spans that are perhaps resident */
    size_t free_clean;   /* free spans that were given back to the kernel, or never touched */
    size_t brk;          /* of the program break */
    size_t mapped;       /* of the region's own mappings, where there is no break */
    size_t region_peak;  /* highest brk + mapped */
    size_t huge;         /* live mappings of one block each */
    size_t huge_peak;    /* highest */
    size_t huge_cached;  /* freed mappings kept for reuse */
    size_t purged_total; /* given back to the kernel so far, by madvise */
    size_t brk_grows;    /* times that the region grew */
    size_t brk_shrinks;  /* times that it shrank */
    size_t pools;        /* held by pools, used or not; no part of live */
};

/* Fills *stats and returns 0. `size` is sizeof *stats as the caller was built: what a newer caller
 * knows and this library does not is set to zero. Returns -1 when stats is NULL or size is 0.
 * Walks the tables of the heap: microseconds per MiB of heap, not for hot paths. */
int myalloc_stats(struct myalloc_stats *stats, size_t size);

/* Gives everything free that can be reached back to the kernel: the caches of all CPUs (of this
 * CPU or thread alone where the kernel does not help), free spans, single free pages, the end of
 * the break. Returns 1 when something was given back, else 0; the same as malloc_trim(0). */
int myalloc_purge(void);

/* 1 when ptr is the start of a block in use of this library, as far as can be known, else 0.
 * Never dereferences ptr: any address may be asked for. */
int myalloc_owns(const void *ptr);

/* ---- Files as memory ---- */

#define MYALLOC_MAP_WRITE 1U

/* Maps a file whole; NULL and the errno of what failed. In *bytes comes its length.
 * Flags 0: to read, private to this process; stores to it end the program.
 * MYALLOC_MAP_WRITE: to read and write, shared: every process that maps the file sees what is
 * stored, at once, and so does every later reader of the file. A missing file is made (mode 0666
 * less the umask); one shorter than *bytes on entry is made so long, of zeros that have their room
 * on the disk. A file that somebody else makes shorter later gives SIGBUS.
 * EINVAL: bytes is NULL, or an unknown flag. ENODATA: the file is empty. EFBIG: RLIMIT_FSIZE (no
 * signal). ENOSPC, EDQUOT, EACCES, ENOENT and others: as open(2), fallocate(2) and mmap(2). */
void *myalloc_map_file(const char *path, size_t *bytes, unsigned flags);

/* Maps a part of a file: what myalloc_map_file does, from `offset` on, any number. *bytes on entry
 * is its length; 0: to the end of the file. To read, it may become less, where the file ends; a
 * file that is written to is made so long that all of it is there. ENODATA: nothing stands at
 * offset. EFBIG: also when no file can be so long. Only the pages of the part are mapped; what is
 * in the first and last one beside it is not the program's to write to. */
void *myalloc_map_part(const char *path, size_t offset, size_t *bytes, unsigned flags);

/* Waits until what was stored has reached the disk, as fsync(2) would. 0; -1 and errno: EINVAL when
 * no such mapping begins at start, EIO. Without it the kernel writes when it sees fit; what was
 * stored outlives the process, not the machine. */
int myalloc_map_sync(void *start);

/* Makes a mapping that writes `bytes` long, and its file as long as that needs: where it is now,
 * perhaps moved. NULL: it stays as it was; EINVAL when it is none, not to be written to, or longer
 * already; EBADF when the program closed our descriptor of the file; ENOSPC and others as above.
 * Nobody else may use the old address meanwhile. */
void *myalloc_map_grow(void *start, size_t bytes);

/* Ends a mapping; 0, or -1 and EINVAL when none begins at start. What was stored is in the file.
 * In the child of a fork, mappings are as in the parent: shared ones stay shared. */
int myalloc_unmap_file(void *start);

/* ---- The heap walk ---- */

enum myalloc_tier {
    MYALLOC_SMALL = 1,  /* to 1024 bytes: a block of a slab */
    MYALLOC_MEDIUM = 2, /* to 32 KiB: likewise */
    MYALLOC_LARGE = 3,  /* a span of the heap; free: a free span, whatever it will be */
    MYALLOC_HUGE = 4,   /* a mapping of its own */
    MYALLOC_POOL = 5    /* a pool chunk, as a whole */
};

enum myalloc_block_state {
    MYALLOC_IN_USE = 1, /* in the program's hands */
    MYALLOC_CACHED = 2, /* free, in the cache of a CPU or in that of mappings */
    MYALLOC_FREE = 3    /* free, on its slab, or a free span */
};

struct myalloc_block {
    const void *address;
    size_t bytes; /* what malloc_usable_size tells; of what is free, its length */
    int tier;     /* enum myalloc_tier */
    int state;    /* enum myalloc_block_state */
};

/* Calls callback(block, argument) for every block, in use or free, that was there at one moment,
 * the addresses of the heap rising, then the mappings; blocks that were never given out yet are
 * none. Stops when the callback returns something else than 0, and returns that; 0 at the end. -1
 * and ENOMEM without memory for the list, some 2 % of the heap, mapped apart from it.
 *
 * No lock is held while the callback runs: it may allocate, free, and walk; that changes nothing of
 * this walk. What it is told may be free by then where other threads work: it must not read such
 * a block. Exact while no other thread allocates or frees, small blocks in the caches of
 * CPUs included. Other threads that allocate meanwhile are never held up for longer than the
 * list takes, and one of their blocks may be told as it was a moment before or after. */
int myalloc_walk(int (*callback)(const struct myalloc_block *block, void *argument),
                 void *argument);

/* ---- Pools: many blocks that end together, or whose number nobody else should feel ----
 *
 * A pool takes spans of the heap (pool chunks: 128 KiB at first, later a quarter of what it has, at
 * most 1 MiB) and cuts them into blocks, of one size or of any. What it knows of them lies at the
 * start of each pool chunk, not between the blocks: 1.6 % of it. Blocks begin at multiples of 16;
 * those of a fixed size at multiples of the power of two that divides it, up to 4096: with 192
 * bytes at multiples of 64. They are not cleared.
 *
 * A block of a pool is no block of malloc: free and realloc of one end the program with a line that
 * says so, malloc_usable_size and myalloc_owns return 0. A block freed twice, a pointer inside a
 * block, a pointer of another pool or of malloc given to myalloc_pool_free, and the use of a
 * destroyed pool end it likewise, as long as the chunk is the pool's.
 *
 * Without MYALLOC_POOL_ONE_THREAD, all functions but myalloc_pool_destroy may be called on one pool
 * by many threads at once, and after fork the child has the pool as it was. With it, there is no
 * lock: one thread at a time, and no other thread in the middle of a call when somebody forks.
 * None is async-signal-safe. */
struct myalloc_pool;

#define MYALLOC_POOL_ONE_THREAD 1U

/* A pool of blocks of block_bytes each (rounded up to a multiple of 16), or of any size when
 * block_bytes is 0. It holds no memory at first. NULL and EINVAL for an unknown flag, NULL and
 * ENOMEM without memory or for blocks that no memory can hold, NULL and ENOTSUP in a program that
 * MYALLOC_EXCLUDE names. */
struct myalloc_pool *myalloc_pool_create(size_t block_bytes, unsigned flags);

/* A block of at least `bytes` (0 too); its contents are undefined. NULL and EINVAL when `bytes` is
 * more than the fixed size, NULL and ENOMEM without memory. Any size: a block above 64 KiB has a
 * chunk of its own, the others come from the shortest free piece that is found at once. */
void *myalloc_pool_alloc(struct myalloc_pool *pool, size_t bytes);

/* The same, at a multiple of `alignment`, a power of two. NULL and EINVAL when it is none, or more
 * than what the blocks of the fixed size begin at in any case. */
void *myalloc_pool_alloc_aligned(struct myalloc_pool *pool, size_t alignment, size_t bytes);

/* Gives a block back; NULL is no block. Its free neighbours are joined with it; a chunk without
 * blocks goes back to the heap unless it is the only one such. Keeps errno. */
void myalloc_pool_free(struct myalloc_pool *pool, void *block);

/* Frees all blocks at once: time for each chunk, not for each block. The chunks stay the pool's. */
void myalloc_pool_reset(struct myalloc_pool *pool);

/* Frees all blocks and gives all memory back; NULL is no pool. */
void myalloc_pool_destroy(struct myalloc_pool *pool);

struct myalloc_pool_stats {
    size_t block_bytes;  /* fixed size, 0: any */
    size_t blocks;       /* in use */
    size_t used;         /* bytes in use, as rounded up */
    size_t used_peak;    /* highest */
    size_t chunks;       /* spans that it holds */
    size_t held;         /* their bytes */
    size_t free_pieces;  /* free blocks of the fixed size; else free ranges between blocks */
    size_t longest_free; /* bytes of the longest one */
};

/* As myalloc_stats, of one pool: 0, or -1 when stats is NULL or size is 0. */
int myalloc_pool_stats(struct myalloc_pool *pool, struct myalloc_pool_stats *stats, size_t size);

#ifdef __cplusplus
}
#endif

#endif
