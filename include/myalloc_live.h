/* myalloc_live.h - the live page: what a process under libmyalloc.so tells about its heap.
 *
 * With MYALLOC_CONF=live:1 the library maps one small shared file and keeps it up to date; the
 * `myalloc` command (and anybody else of the same user) reads it while the process runs and after
 * it was killed.  This header is the whole contract between the two.
 *
 * Where:     $XDG_RUNTIME_DIR/myalloc/PID, or /dev/shm/myalloc.UID/PID when that variable is unset
 *            or the directory cannot be made.  Directory 0700, file 0600, both the user's own.
 * Making:    mkdir; lstat, which must show a directory that is ours and that others cannot write;
 *            open(O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW), without O_EXCL, because `myalloc run`
 *            makes the file empty beforehand and holds it open; ftruncate to 0, then to
 *            sizeof(struct myalloc_live); mmap(MAP_SHARED); fill the header; store `magic` last,
 *            with release order.  If any step fails, the process runs on without a page.
 * Ending:    a process that ends by exit() or _exit() counts once more, stores `ended_ns` and
 *            `state`, and unlinks the file; one that is killed leaves it behind, and its state says
 *            RUNNING.  `myalloc top` and `myalloc run` remove what is ten minutes old.
 * Forking:   a child makes a page of its own before it writes a number, or keeps none at all.
 * Executing: the next program of the same process id truncates the file and starts again.
 * Writing:   every number is naturally aligned and stored atomically, relaxed; readers never block
 *            the writer and never write.  A reader copies the file with pread (no SIGBUS when it
 *            shrinks) and trusts no length, index or name in it.
 * Versions:  a reader accepts its own `version` only.  Additions use the spare words, which are
 *            zero; everything else increases the version.
 */
#ifndef MYALLOC_LIVE_H
#define MYALLOC_LIVE_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

#define MYALLOC_LIVE_MAGIC       0x6576696c6c61796dULL // "myallive" in memory order
#define MYALLOC_LIVE_VERSION     2
#define MYALLOC_LIVE_CLASSES_MAX 128
#define MYALLOC_LIVE_SLOTS_MAX   256
#define MYALLOC_LIVE_REGIONS_MAX 256
#define MYALLOC_LIVE_EVENTS_MAX  1024  // a power of two: the slot is the number modulo this
#define MYALLOC_LIVE_CHUNKS_MAX  65536 // 1 GiB of heap at 16 KiB; coarser by chunks.shift above
#define MYALLOC_LIVE_NAME_BYTES  64

enum myalloc_live_state {
    MYALLOC_LIVE_RUNNING = 1,
    MYALLOC_LIVE_ENDED = 2, // by exit() or _exit(); a killed process stays RUNNING
};

/* What the heap profile is asked to do. Each answer is a file beside the page, PID.heap. */
enum myalloc_live_profile_request {
    MYALLOC_LIVE_PROFILE_START = 1,
    MYALLOC_LIVE_PROFILE_STOP = 2,
    MYALLOC_LIVE_PROFILE_DUMP = 3,
};

/* Written once, before `magic`, except the words marked [atomic]. */
struct myalloc_live_header {
    _Atomic uint64_t magic;                // [const]  MYALLOC_LIVE_MAGIC, stored last
    uint32_t version;                      // [const]  MYALLOC_LIVE_VERSION
    uint32_t header_bytes;                 // [const]  sizeof(struct myalloc_live_header)
    uint64_t page_bytes;                   // [const]  sizeof(struct myalloc_live)
    uint32_t pid;                          // [const]  as getpid() tells it
    uint32_t chunk_bytes;                  // [const]  16384
    uint64_t started_ns;                   // [const]  CLOCK_BOOTTIME when the page was made
    char exe[MYALLOC_LIVE_NAME_BYTES];     // [const]  last part of /proc/self/exe, ended by a zero
    char library[MYALLOC_LIVE_NAME_BYTES]; // [const] version of the library, ended by a zero
    uint32_t class_count;                  // [const]  used entries of classes[]
    uint32_t spare;                        // [const]  0
    _Atomic uint64_t state;                // [atomic] enum myalloc_live_state
    _Atomic uint64_t ended_ns;             // [atomic] CLOCK_BOOTTIME at the end, else 0
    _Atomic uint64_t spare_words[4];       // [atomic] 0
    // Words for `myalloc profile`: the command alone writes the first, the process the others.
    _Atomic uint64_t profile_request; // [atomic] number << 8 | enum myalloc_live_profile_request
    _Atomic uint64_t profile_answer;  // [atomic] the last request that was served
    _Atomic uint64_t profile_is_on;   // [atomic] 0 or 1
    _Atomic uint64_t profile_signal;  // [atomic] a signal that does the same; 0: none
};

/* Bytes and counts of the whole process.  Blocks are counted by a look at all slabs and slots from
 * time to time, while others allocate and free, so live and malloc/free counts are approximate, and
 * as old as counted_ns says: a process that sleeps counts nothing.  Calls of the system are exact.
 */
struct myalloc_live_counters {
    _Atomic uint64_t live_bytes;           // [atomic] in blocks the program holds (block sizes)
    _Atomic uint64_t live_peak_bytes;      // [atomic] the most that live_bytes has been
    _Atomic uint64_t live_blocks;          // [atomic] blocks the program holds
    _Atomic uint64_t brk_bytes;            // [atomic] the brk region: chunks * chunk_bytes
    _Atomic uint64_t brk_peak_bytes;       // [atomic]
    _Atomic uint64_t mmap_bytes;           // [atomic] huge blocks, cached ones, mmap regions in use
    _Atomic uint64_t mmap_peak_bytes;      // [atomic]
    _Atomic uint64_t footprint_peak_bytes; // [atomic] the most that brk_bytes + mmap_bytes has been
    _Atomic uint64_t dirty_free_bytes;     // [atomic] free in the regions, but still resident
    _Atomic uint64_t huge_blocks;          // [atomic] blocks with a mapping of their own
    _Atomic uint64_t huge_bytes;           // [atomic] their bytes
    _Atomic uint64_t large_blocks;         // [atomic] blocks that are spans of chunks
    _Atomic uint64_t large_bytes;          // [atomic] their bytes
    _Atomic uint64_t brk_grows;            // [atomic] times the break went up
    _Atomic uint64_t brk_shrinks;          // [atomic] times the break went down
    _Atomic uint64_t mmaps;                // [atomic] calls of mmap for memory of blocks
    _Atomic uint64_t munmaps;              // [atomic] calls of munmap for memory of blocks
    _Atomic uint64_t purges;               // [atomic] calls of madvise(MADV_DONTNEED)
    _Atomic uint64_t purged_bytes;         // [atomic] bytes given back by them
    _Atomic uint64_t trimmed_bytes;        // [atomic] bytes given back by lowering the break
    _Atomic uint64_t mallocs;              // [atomic] allocations of every kind, approximate
    _Atomic uint64_t frees;                // [atomic] approximate
    _Atomic uint64_t reallocs;             // [atomic] those of blocks above the small classes
    _Atomic uint64_t reallocs_in_place;    // [atomic] those of them that did not move
    _Atomic uint64_t regions_dropped;      // [atomic] regions that did not fit into regions[]
    _Atomic uint64_t slots_dropped;        // [atomic] slots that did not fit into slots[]
    _Atomic uint64_t counted_ns;           // [atomic] CLOCK_BOOTTIME of the last count of blocks
    _Atomic uint64_t spare_words[5];       // [atomic] 0
};

enum myalloc_live_tier { MYALLOC_LIVE_SMALL = 1, MYALLOC_LIVE_MEDIUM = 2 };

/* One size class; entries 0 .. class_count - 1, block sizes ascending. */
struct myalloc_live_class {
    uint32_t block_bytes;         // [const]  never 0
    uint32_t tier;                // [const]  enum myalloc_live_tier
    _Atomic uint64_t slabs;       // [atomic] slabs of the class now
    _Atomic uint64_t live_blocks; // [atomic] blocks the program holds, approximate
    _Atomic uint64_t mallocs;     // [atomic] blocks handed out so far, approximate
};

/* One slot: the caches of a CPU, or of a thread where the kernel restarts no sequences. Any entry
 * may be unused. */
struct myalloc_live_slot {
    _Atomic uint32_t is_used;       // [atomic] 0 or 1
    _Atomic uint32_t number;        // [atomic] of the slot: of a CPU, a concurrency id, or a thread
    _Atomic uint64_t cached_blocks; // [atomic] free blocks in its magazines
    _Atomic uint64_t cached_bytes;  // [atomic] their bytes
    _Atomic uint64_t mallocs;       // [atomic] blocks that it gave out
    _Atomic uint64_t spare_word;    // [atomic] 0
};

enum myalloc_live_region_kind {
    MYALLOC_LIVE_REGION_UNUSED = 0,
    MYALLOC_LIVE_REGION_BRK = 1,    // the range of the break that is ours
    MYALLOC_LIVE_REGION_MMAP = 2,   // a region in place of the break
    MYALLOC_LIVE_REGION_HUGE = 3,   // the mapping of one huge block
    MYALLOC_LIVE_REGION_CACHED = 4, // a freed mapping kept for the next huge block
    MYALLOC_LIVE_REGION_TABLE = 5,  // bookkeeping of the library
    MYALLOC_LIVE_REGION_BACKED = 6, // a huge block in a file (backing:DIR)
};

/* One address range of the library.  To change an entry: kind 0, then base and bytes, then kind. */
struct myalloc_live_region {
    _Atomic uint64_t base;  // [atomic] address, page aligned
    _Atomic uint64_t bytes; // [atomic] length
    _Atomic uint64_t kind;  // [atomic] enum myalloc_live_region_kind
};

enum myalloc_live_event_kind {
    MYALLOC_LIVE_EVENT_BRK_GROW = 1,
    MYALLOC_LIVE_EVENT_BRK_SHRINK = 2, // asked for by malloc_trim or a foreign sbrk
    MYALLOC_LIVE_EVENT_MMAP = 3,
    MYALLOC_LIVE_EVENT_MUNMAP = 4,
    MYALLOC_LIVE_EVENT_PURGE = 5,
    MYALLOC_LIVE_EVENT_TRIM = 6, // the library lowered the break by itself
};

/* One call of the system.  Writer: n = fetch_add(event_count, 1) + 1; in slot (n - 1) % EVENTS_MAX
 * store `begun` = n, then (release fence) the fields, then `done` = n (release).  Reader: copies
 * the ring twice, one after the other; an entry counts only if both copies are alike and both
 * `done` and `begun` are the number that belongs into this slot.  One copy is not enough: the
 * kernel copies in any order, so a copy made while the entry is rewritten may show old numbers
 * around new fields. */
struct myalloc_live_event {
    _Atomic uint64_t done;      // [atomic] number of the event, from 1
    _Atomic uint64_t time_ns;   // [atomic] CLOCK_BOOTTIME
    _Atomic uint64_t address;   // [atomic] start of the range
    _Atomic uint64_t bytes;     // [atomic] its length
    _Atomic uint32_t kind;      // [atomic] enum myalloc_live_event_kind
    _Atomic uint32_t thread_id; // [atomic] gettid()
    _Atomic uint64_t begun;     // [atomic] number of the event, from 1
};

/* Low four bits of a chunk's byte. */
enum myalloc_live_chunk_state {
    MYALLOC_LIVE_CHUNK_CLEAN = 0, // free; never touched, or purged
    MYALLOC_LIVE_CHUNK_DIRTY = 1, // free, but still resident
    MYALLOC_LIVE_CHUNK_SMALL = 2,
    MYALLOC_LIVE_CHUNK_MEDIUM = 3,
    MYALLOC_LIVE_CHUNK_LARGE = 4,
    MYALLOC_LIVE_CHUNK_FOREIGN = 5, // somebody else's sbrk
};

/* The chunks of the first region.  Cell i tells about chunk i << shift; its upper four bits
 * tell how much of a slab is in use, in sixteenths rounded up (1 .. 15; 0 means not known).  When
 * the region outgrows the cells, the writer makes `sequence` odd, halves the cells and adds 1 to
 * the shift, and makes it even again: a reader whose copy shows an odd number tries once more. */
struct myalloc_live_chunks {
    _Atomic uint64_t sequence;                      // [atomic] odd while the cells are being halved
    _Atomic uint64_t base;                          // [atomic] address of chunk 0
    _Atomic uint64_t count;                         // [atomic] chunks of the region now
    _Atomic uint64_t shift;                         // [atomic] log2 of chunks per cell
    _Atomic uint8_t cells[MYALLOC_LIVE_CHUNKS_MAX]; // [atomic] state | fill << 4
};

struct myalloc_live {
    struct myalloc_live_header header;
    struct myalloc_live_counters counters;
    struct myalloc_live_class classes[MYALLOC_LIVE_CLASSES_MAX];
    struct myalloc_live_slot slots[MYALLOC_LIVE_SLOTS_MAX];
    struct myalloc_live_region regions[MYALLOC_LIVE_REGIONS_MAX];
    _Atomic uint64_t event_count; // [atomic] events so far
    struct myalloc_live_event events[MYALLOC_LIVE_EVENTS_MAX];
    struct myalloc_live_chunks chunks;
};

static_assert(sizeof(struct myalloc_live_header) == 256, "layout of version 2");
static_assert(sizeof(struct myalloc_live_counters) == 256, "layout of version 2");
static_assert(sizeof(struct myalloc_live_class) == 32, "layout of version 2");
static_assert(sizeof(struct myalloc_live_slot) == 40, "layout of version 2");
static_assert(sizeof(struct myalloc_live_region) == 24, "layout of version 2");
static_assert(sizeof(struct myalloc_live_event) == 48, "layout of version 2");
static_assert(sizeof(struct myalloc_live_chunks) == 32 + MYALLOC_LIVE_CHUNKS_MAX, "version 1");

#endif
