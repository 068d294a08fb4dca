/* myalloc_live.h - the live page: heap statistics that a process under libmyalloc.so publishes.
 *
 * With MYALLOC_CONF=live:1 the library maps one small shared file and keeps it up to date; the
 * `myalloc` command (and any other program of the same user) reads it while the process runs and
 * after it was killed.  This header is the whole contract between the two.
 *
 * Where:     $XDG_RUNTIME_DIR/myalloc/PID, or /dev/shm/myalloc.UID/PID when that variable is unset
 *            or the directory cannot be created.  Directory 0700, file 0600, both the user's.
 * Creation:  mkdir; lstat, which must show a directory that is ours and that others cannot write;
 *            open(O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW), without O_EXCL, because `myalloc run`
 *            creates the empty file beforehand and holds it open; ftruncate to 0, then to
 *            sizeof(struct myalloc_live); mmap(MAP_SHARED); fill the header; store `magic` last,
 *            with release order.  If any step fails, the process continues without a page.
 * Exit:      a process that ends by exit() or _exit() counts once more, stores `ended_ns` and
 *            `state`, and unlinks the file, but not with live:N above 1: then process N, which is a
 *            `myalloc run`, collects it. One that is killed leaves it behind, with state RUNNING.
 *            `myalloc top` and `myalloc run` remove files that are ten minutes old.
 * Fork:      a child creates a page of its own before it writes a number, or has none at all.
 * Exec:      the next program of the same process id truncates the file and starts over.
 * Writing:   every number is naturally aligned and stored atomically, relaxed; readers never block
 *            the writer and never write.  A reader copies the file with pread (no SIGBUS when it
 *            shrinks) and trusts no length, index or name in it.
 * Counting:  the counts of blocks in the page are of the time counted_ns; a reader that may read
 *            the memory of the process counts anew, by struct myalloc_table, even without a page.
 * Versions:  a reader accepts only its own `version`.  Additions use the spare words, which are
 *            zero; any other change increases the version.
 */
#ifndef MYALLOC_LIVE_H
#define MYALLOC_LIVE_H

#include <stdint.h>

/* The writer is C11 and stores each number atomically. A reader works on a copy and needs plain
 * numbers: this header is for any C and C++, and the layout is the same in all. */
#if !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#include <stdatomic.h>
typedef _Atomic uint64_t myalloc_live_u64;
typedef _Atomic uint32_t myalloc_live_u32;
typedef _Atomic uint8_t myalloc_live_u8;
#else
typedef uint64_t myalloc_live_u64;
typedef uint32_t myalloc_live_u32;
typedef uint8_t myalloc_live_u8;
#endif

#define MYALLOC_LIVE_MAGIC       UINT64_C(0x6576696c6c61796d) /* "myallive" in memory order */
#define MYALLOC_LIVE_VERSION     2
#define MYALLOC_LIVE_CLASSES_MAX 128
#define MYALLOC_LIVE_SLOTS_MAX   256
#define MYALLOC_LIVE_REGIONS_MAX 256
#define MYALLOC_LIVE_EVENTS_MAX  1024  /* a power of two: the slot is the number modulo this */
#define MYALLOC_LIVE_CHUNKS_MAX  65536 /* 1 GiB of heap at 16 KiB; beyond, coarser: chunks.shift */
#define MYALLOC_LIVE_NAME_BYTES  64

enum myalloc_live_state {
    MYALLOC_LIVE_RUNNING = 1,
    MYALLOC_LIVE_ENDED = 2 /* by exit() or _exit(); a killed process stays RUNNING */
};

/* Requests to the process. The answer to each is the heap profile in a file next to the page, under
 * its name with the suffix .heap; for PURGE a file with the suffix .purge. */
enum myalloc_live_request {
    MYALLOC_LIVE_PROFILE_START = 1,
    MYALLOC_LIVE_PROFILE_STOP = 2,
    MYALLOC_LIVE_PROFILE_DUMP = 3,
    MYALLOC_LIVE_PURGE = 4 /* return all free memory to the kernel, as malloc_trim does */
};

/* Written once, before `magic`, except the words marked [atomic]. */
struct myalloc_live_header {
    myalloc_live_u64 magic;                /* [const]  MYALLOC_LIVE_MAGIC, stored last */
    uint32_t version;                      /* [const]  MYALLOC_LIVE_VERSION */
    uint32_t header_bytes;                 /* [const]  sizeof(struct myalloc_live_header) */
    uint64_t page_bytes;                   /* [const]  sizeof(struct myalloc_live) */
    uint32_t pid;                          /* [const]  as getpid() returns it */
    uint32_t chunk_bytes;                  /* [const]  16384 */
    uint64_t started_ns;                   /* [const]  CLOCK_BOOTTIME when the page was created */
    char exe[MYALLOC_LIVE_NAME_BYTES];     /* [const]  base name of /proc/self/exe, zero-ended */
    char library[MYALLOC_LIVE_NAME_BYTES]; /* [const]  version of the library, zero-ended */
    uint32_t class_count;                  /* [const]  used entries of classes[] */
    uint32_t family;                       /* [const]  N of live:N above 1: who removes the page */
    myalloc_live_u64 state;                /* [atomic] enum myalloc_live_state */
    myalloc_live_u64 ended_ns;             /* [atomic] CLOCK_BOOTTIME at the end, else 0 */
    /* [const] 0, except [0] and [1]: see struct myalloc_table */
    myalloc_live_u64 spare_words[4];
    /* Words for requests: only the command writes the first, only the process the others. */
    myalloc_live_u64 profile_request; /* [atomic] number << 8 | enum myalloc_live_request */
    myalloc_live_u64 profile_answer;  /* [atomic] the last request that was served */
    myalloc_live_u64 profile_is_on;   /* [atomic] 0 or 1 */
    myalloc_live_u64 profile_signal;  /* [atomic] a signal that does the same; 0: none */
};

/* Bytes and counts of the whole process.  Blocks are counted by a periodic census of all slabs and
 * slots, while others allocate and free, so live and malloc/free counts are approximate, and of the
 * time counted_ns: a sleeping process counts nothing.  Counts of system calls are exact. */
struct myalloc_live_counters {
    myalloc_live_u64 live_bytes;           /* [atomic] in blocks the program holds (block sizes) */
    myalloc_live_u64 live_peak_bytes;      /* [atomic] the most that live_bytes has been */
    myalloc_live_u64 live_blocks;          /* [atomic] blocks the program holds */
    myalloc_live_u64 brk_bytes;            /* [atomic] the brk region: chunks * chunk_bytes */
    myalloc_live_u64 brk_peak_bytes;       /* [atomic] */
    myalloc_live_u64 mmap_bytes;           /* [atomic] huge blocks, cached ones, mmap regions */
    myalloc_live_u64 mmap_peak_bytes;      /* [atomic] */
    myalloc_live_u64 footprint_peak_bytes; /* [atomic] the highest brk_bytes + mmap_bytes */
    myalloc_live_u64 dirty_free_bytes;     /* [atomic] free in the regions, but still resident */
    myalloc_live_u64 huge_blocks;          /* [atomic] blocks with a mapping of their own */
    myalloc_live_u64 huge_bytes;           /* [atomic] their bytes */
    myalloc_live_u64 large_blocks;         /* [atomic] blocks that are spans of chunks */
    myalloc_live_u64 large_bytes;          /* [atomic] their bytes */
    myalloc_live_u64 brk_grows;            /* [atomic] times the break went up */
    myalloc_live_u64 brk_shrinks;          /* [atomic] times the break went down */
    myalloc_live_u64 mmaps;                /* [atomic] calls of mmap for memory of blocks */
    myalloc_live_u64 munmaps;              /* [atomic] calls of munmap for memory of blocks */
    myalloc_live_u64 purges;               /* [atomic] calls of madvise(MADV_DONTNEED) */
    myalloc_live_u64 purged_bytes;         /* [atomic] bytes returned by them */
    myalloc_live_u64 trimmed_bytes;        /* [atomic] bytes returned by lowering the break */
    myalloc_live_u64 mallocs;              /* [atomic] allocations of every kind, approximate */
    myalloc_live_u64 frees;                /* [atomic] approximate */
    myalloc_live_u64 reallocs;             /* [atomic] those of blocks above the small classes */
    myalloc_live_u64 reallocs_in_place;    /* [atomic] those of them that did not move */
    myalloc_live_u64 regions_dropped;      /* [atomic] regions that did not fit into regions[] */
    myalloc_live_u64 slots_dropped;        /* [atomic] slots that did not fit into slots[] */
    myalloc_live_u64 counted_ns;           /* [atomic] CLOCK_BOOTTIME of the last count of blocks */
    /* [atomic] bytes touched so far, when live_bytes was at its peak; approximate */
    myalloc_live_u64 touched_bytes;
    myalloc_live_u64 spare_words[4]; /* [atomic] 0 */
};

enum myalloc_live_tier { MYALLOC_LIVE_SMALL = 1, MYALLOC_LIVE_MEDIUM = 2 };

/* One size class; entries 0 .. class_count - 1, block sizes ascending. */
struct myalloc_live_class {
    uint32_t block_bytes;         /* [const]  never 0 */
    uint32_t tier;                /* [const]  enum myalloc_live_tier */
    myalloc_live_u64 slabs;       /* [atomic] slabs of the class now */
    myalloc_live_u64 live_blocks; /* [atomic] blocks the program holds, approximate */
    myalloc_live_u64 mallocs;     /* [atomic] blocks handed out so far, approximate */
};

/* One slot: the caches of a CPU, or of a thread without restartable sequences. Any entry may be
 * unused. */
struct myalloc_live_slot {
    myalloc_live_u32 is_used;       /* [atomic] 0 or 1 */
    myalloc_live_u32 number;        /* [atomic] a CPU, a concurrency id, or a thread */
    myalloc_live_u64 cached_blocks; /* [atomic] free blocks in its magazines */
    myalloc_live_u64 cached_bytes;  /* [atomic] their bytes */
    myalloc_live_u64 mallocs;       /* [atomic] blocks that it handed out */
    myalloc_live_u64 spare_word;    /* [atomic] 0 */
};

enum myalloc_live_region_kind {
    MYALLOC_LIVE_REGION_UNUSED = 0,
    MYALLOC_LIVE_REGION_BRK = 1,    /* the range of the break that is ours */
    MYALLOC_LIVE_REGION_MMAP = 2,   /* a region used instead of the break */
    MYALLOC_LIVE_REGION_HUGE = 3,   /* the mapping of one huge block */
    MYALLOC_LIVE_REGION_CACHED = 4, /* a freed mapping kept for the next huge block */
    MYALLOC_LIVE_REGION_TABLE = 5,  /* metadata of the library */
    MYALLOC_LIVE_REGION_BACKED = 6  /* a huge block in a file (backing:DIR) */
};

/* One address range of the library.  To change an entry: kind 0, then base and bytes, then kind. */
struct myalloc_live_region {
    myalloc_live_u64 base;  /* [atomic] address, page aligned */
    myalloc_live_u64 bytes; /* [atomic] length */
    myalloc_live_u64 kind;  /* [atomic] enum myalloc_live_region_kind */
};

enum myalloc_live_event_kind {
    MYALLOC_LIVE_EVENT_BRK_GROW = 1,
    MYALLOC_LIVE_EVENT_BRK_SHRINK = 2, /* by malloc_trim or a foreign sbrk */
    MYALLOC_LIVE_EVENT_MMAP = 3,
    MYALLOC_LIVE_EVENT_MUNMAP = 4,
    MYALLOC_LIVE_EVENT_PURGE = 5,
    MYALLOC_LIVE_EVENT_TRIM = 6 /* the library lowered the break by itself */
};

/* One system call.  Writer: n = fetch_add(event_count, 1) + 1; in slot (n - 1) % EVENTS_MAX store
 * `begun` = n, then (release fence) the fields, then `done` = n (release).  Reader: copies the ring
 * twice, one after the other; an entry counts only if both copies are equal and both `done` and
 * `begun` are the number that belongs into this slot.  One copy is not enough: the kernel copies in
 * any order, so a copy made while the entry is rewritten may have old numbers around new fields. */
struct myalloc_live_event {
    myalloc_live_u64 done;      /* [atomic] number of the event, from 1 */
    myalloc_live_u64 time_ns;   /* [atomic] CLOCK_BOOTTIME */
    myalloc_live_u64 address;   /* [atomic] start of the range */
    myalloc_live_u64 bytes;     /* [atomic] its length */
    myalloc_live_u32 kind;      /* [atomic] enum myalloc_live_event_kind */
    myalloc_live_u32 thread_id; /* [atomic] gettid() */
    myalloc_live_u64 begun;     /* [atomic] number of the event, from 1 */
};

/* Low four bits of a chunk's byte. */
enum myalloc_live_chunk_state {
    MYALLOC_LIVE_CHUNK_CLEAN = 0, /* free; never touched, or purged */
    MYALLOC_LIVE_CHUNK_DIRTY = 1, /* free, but still resident */
    MYALLOC_LIVE_CHUNK_SMALL = 2,
    MYALLOC_LIVE_CHUNK_MEDIUM = 3,
    MYALLOC_LIVE_CHUNK_LARGE = 4,
    MYALLOC_LIVE_CHUNK_FOREIGN = 5 /* another user of sbrk */
};

/* The chunks of the first region.  Cell i is for chunk i << shift; its upper four bits are the used
 * share of a slab, in sixteenths rounded up (1 .. 15; 0 means not known).  When the region outgrows
 * the cells, the writer makes `sequence` odd, halves the cells and adds 1 to the shift, and makes
 * it even again: a reader whose copy has an odd number retries. */
struct myalloc_live_chunks {
    myalloc_live_u64 sequence;                      /* [atomic] odd while cells are being halved */
    myalloc_live_u64 base;                          /* [atomic] address of chunk 0 */
    myalloc_live_u64 count;                         /* [atomic] chunks of the region now */
    myalloc_live_u64 shift;                         /* [atomic] log2 of chunks per cell */
    myalloc_live_u8 cells[MYALLOC_LIVE_CHUNKS_MAX]; /* [atomic] state | fill << 4 */
};

struct myalloc_live {
    struct myalloc_live_header header;
    struct myalloc_live_counters counters;
    struct myalloc_live_class classes[MYALLOC_LIVE_CLASSES_MAX];
    struct myalloc_live_slot slots[MYALLOC_LIVE_SLOTS_MAX];
    struct myalloc_live_region regions[MYALLOC_LIVE_REGIONS_MAX];
    myalloc_live_u64 event_count; /* [atomic] events so far */
    struct myalloc_live_event events[MYALLOC_LIVE_EVENTS_MAX];
    struct myalloc_live_chunks chunks;
};

/* Where the counts are in the memory of a process, live page or not, for readers of /proc/PID/mem.
 * The library has an array with one entry for each of the following, in any order.  An ELF note in
 * memory, of name "myalloc" and type 1, holds two signed 32-bit words, the distances from
 * themselves to the first entry and to the end of the array; then the version.  A live page holds
 * both addresses in spare_words[0] and [1] of its header. A field is the offset of a member in a
 * structure of the library. */
#define MYALLOC_TABLES_VERSION 1
#define MYALLOC_TABLE_FIELDS   14
#define MYALLOC_NOTE_NAME      "myalloc"
#define MYALLOC_NOTE_TABLES    1

enum myalloc_table_id {
    MYALLOC_TABLE_CLASSES = 1, /* one for each size class */
    MYALLOC_TABLE_MAP,         /* address: the page map */
    MYALLOC_TABLE_SLOTS,  /* address: of all slots; second: 16 bits, the count of an empty list */
    MYALLOC_TABLE_SLOT,   /* bytes and fields of one; count: bins, that of a class + 1 */
    MYALLOC_TABLE_DEPOTS, /* one for each size class; second: its magazines, list words */
    MYALLOC_TABLE_MARKS,  /* of blocks that a child of a fork freed; bytes: of one chunk's */
    MYALLOC_TABLE_HUGE,   /* address: the sums of huge blocks */
    MYALLOC_TABLE_REGION, /* address: the sums of the region */
    MYALLOC_TABLE_HSLAB,  /* fields of one; count: classes, those from there on: of no bytes */
    MYALLOC_TABLE_QUARANTINE, /* freed large blocks of hardened mode; second: 32 bits, how many */
    MYALLOC_TABLES
};

enum myalloc_chunk_state {
    MYALLOC_CHUNK_NONE,
    MYALLOC_CHUNK_IS_FREE, /* first or last chunk of a free span */
    MYALLOC_CHUNK_SLAB,
    MYALLOC_CHUNK_LARGE,
    MYALLOC_CHUNK_PLACED, /* a block of a size class, sampled by the heap profile */
    MYALLOC_CHUNK_POOL,   /* of a pool */
    MYALLOC_CHUNK_HSLAB,  /* the structure at its pointer: hardened mode, every chunk of the span */
    MYALLOC_CHUNK_GUARDED, /* a large block of hardened mode */
    MYALLOC_CHUNK_BODY     /* a further chunk */
};

enum myalloc_table_field {
    MYALLOC_CLASS_BLOCK_BYTES = 0, /* 32 bits */
    MYALLOC_CLASS_CHUNKS,          /* 16, of a slab */
    MYALLOC_CLASS_BLOCKS,          /* 16, of a slab */

    MYALLOC_MAP_BASE = 0,  /* 64: address of chunk 0 */
    MYALLOC_MAP_CHUNKS,    /* 64: how many there are */
    MYALLOC_MAP_ENTRIES,   /* 64: address of the entry of chunk 0; `bytes` each */
    MYALLOC_MAP_DIRTY,     /* 64: address of one bit a chunk */
    MYALLOC_CHUNK_STATE,   /* 8: enum myalloc_chunk_state */
    MYALLOC_CHUNK_CLASS,   /* 8 */
    MYALLOC_CHUNK_FREE,    /* 64, slab: list of the blocks that are home; else a pointer */
    MYALLOC_CHUNK_USABLE,  /* 64, large block: bytes */
    MYALLOC_CHUNK_LENGTH,  /* 32, chunks */
    MYALLOC_CHUNK_REACHED, /* 32, slab: blocks from here on were never made */
    MYALLOC_CHUNK_PURGED,  /* 32, slab: bit set: page was purged */
    MYALLOC_CHUNK_CARVED,  /* 16, slab: blocks made, and not purged */

    MYALLOC_SLOTS_FIRST = 0, /* 64: address of slot 0 */
    MYALLOC_SLOTS_OPENED,    /* 64: slots from here on were never used */
    MYALLOC_SLOTS_OWNED,     /* 64: address of the first slot of a thread */

    MYALLOC_SLOT_LOADED = 0, /* list words, one a bin */
    MYALLOC_SLOT_SPARE,      /* likewise */
    MYALLOC_SLOT_HANDED,     /* 64: address of 64-bit counts, one a bin; 0: nothing was counted */
    MYALLOC_SLOT_IS_OPEN,    /* 8 */
    MYALLOC_SLOT_NEXT,       /* 64: address of the next slot of a thread */

    MYALLOC_DEPOT_COUNT = 0, /* 32: magazines */
    MYALLOC_DEPOT_BLOCKS,    /* 64: in magazines */
    MYALLOC_DEPOT_ROOM,      /* not an offset: magazines that have room */

    MYALLOC_MARKS_TABLE = 0, /* 64: address of the marks of chunk 0; 0: there are none */
    MYALLOC_MARKS_CHUNKS,    /* 64: chunks that have some */
    MYALLOC_MARKS_COUNT,     /* 32, of one chunk */

    MYALLOC_HUGE_BLOCKS = 0, /* 64 */
    MYALLOC_HUGE_BYTES,      /* 64 */
    MYALLOC_HUGE_CACHED,     /* 64: bytes of mappings that are kept */

    MYALLOC_REGION_BREAK = 0, /* 64: bytes below the break */
    MYALLOC_REGION_MAPS,      /* 64: bytes of mappings in its place */

    MYALLOC_QUARANTINE_BYTES = 0, /* 64 */
    MYALLOC_QUARANTINE_IS_HUGE,   /* 8: it counts as a huge block */

    MYALLOC_HSLAB_START = 0, /* 64 */
    MYALLOC_HSLAB_CLASS,     /* 16 */
    MYALLOC_HSLAB_FIRST,     /* 16: slots below are not used */
    MYALLOC_HSLAB_OPENED,    /* 16: nor from here on */
    MYALLOC_HSLAB_RECORDS /* 16, one a slot: bit 15: in use; bits 0 to 12: bytes behind its block */
};

struct myalloc_table {
    const void *address; /* NULL: only a layout */
    const void *second;
    uint32_t id;    /* enum myalloc_table_id */
    uint32_t bytes; /* of one thing */
    uint32_t count; /* of things at `address` */
    uint16_t fields[MYALLOC_TABLE_FIELDS];
    uint32_t version; /* MYALLOC_TABLES_VERSION */
};

/* The layout of this version; anything else does not compile. */
#define MYALLOC_LIVE_SIZE(what, bytes)                                                             \
    typedef char what##_size[sizeof(struct what) == (bytes) ? 1 : -1]
MYALLOC_LIVE_SIZE(myalloc_table, 64);
MYALLOC_LIVE_SIZE(myalloc_live_header, 256);
MYALLOC_LIVE_SIZE(myalloc_live_counters, 256);
MYALLOC_LIVE_SIZE(myalloc_live_class, 32);
MYALLOC_LIVE_SIZE(myalloc_live_slot, 40);
MYALLOC_LIVE_SIZE(myalloc_live_region, 24);
MYALLOC_LIVE_SIZE(myalloc_live_event, 48);
MYALLOC_LIVE_SIZE(myalloc_live_chunks, 32 + MYALLOC_LIVE_CHUNKS_MAX);
#undef MYALLOC_LIVE_SIZE

#endif
