/* config.h - the constants that several modules share, each with its unit and its reason. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/cpu.h"

#include <assert.h>

#ifndef CONFIG_DEBUG
#define CONFIG_DEBUG 0 // 1: assertions, lock rank checks, fault injection
#endif
#ifndef CONFIG_FEATURES
#define CONFIG_FEATURES 1 // 0: only base, pages, core and front: `make check-core-only`
#endif
#ifndef CONFIG_TINY
#define CONFIG_TINY 0 // 1: tiny limits, so that every slow path runs constantly
#endif
#ifndef CONFIG_STATIC
#define CONFIG_STATIC 0 // 1: for libmyalloc.a, without a dynamic linker or another malloc
#endif
#ifndef CONFIG_YOUNG_LOOKS
#define CONFIG_YOUNG_LOOKS 128 // refills of a young heap that check every magazine of the slot
#endif
#ifndef MYALLOC_FORCE_PAGE
#define MYALLOC_FORCE_PAGE 0 // bytes: pretend that pages have this size; 0: the system's size
#endif

// Sanitizers do not understand restartable sequences: their builds do without.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CONFIG_RSEQ 0
#endif
#ifdef __has_feature
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#undef CONFIG_RSEQ
#define CONFIG_RSEQ 0
#endif
#endif
#ifndef CONFIG_RSEQ
#define CONFIG_RSEQ CPU_HAS_SEQUENCES // 0: every thread has a slot of its own
#endif

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27 // of getauxval(); glibc 2.36 has no name for it
#endif

#define BLOCK_ALIGN_BYTES 16 // max_align_t, and what SSE code expects of malloc

// A chunk is the unit of the region: four pages of 4 KiB. Smaller slabs waste less memory
// (half a slab for each size class), larger ones are opened less often.
#define CHUNK_SHIFT 14
#define CHUNK_BYTES (1UL << CHUNK_SHIFT)

#define SMALL_BYTES_MAX       1024UL  // last small class: served by the fast path
#define MEDIUM_BYTES_MAX      32768UL // last medium class
#define SMALL_CLASSES         32      // 16-byte grid to 128, then 8 per doubling
#define MEDIUM_CLASSES        29      // 8 per doubling to 4 KiB, then 4608, then 4
#define PAGE_AND_HEADER_BYTES 4608U   // a page and a header, as in databases: 5120 wastes a sixth
#define MEDIUM_END            (SMALL_CLASSES + MEDIUM_CLASSES)
#define SLAB_BYTES_MAX        (256UL * 1024) // last class of all
#define LARGE_CLASSES         16             // every 8 KiB to 64 KiB, then every 16 KiB
#define CLASSES               (MEDIUM_END + LARGE_CLASSES)
#define MEDIUM_BLOCKS_MAX     64
#define SMALL_BLOCKS_MAX      (CHUNK_BYTES / BLOCK_ALIGN_BYTES)

// Step for carving blocks: memory that no block needs yet stays untouched.
#define CARVE_BYTES 4096UL

// Requests of this size or more get a mapping of their own (M_MMAP_THRESHOLD changes it).
#define HUGE_BYTES_MIN    (CONFIG_TINY ? 256UL * 1024 : 1024UL * 1024 + 1)
#define LARGE_BYTES_LIMIT (32UL * 1024 * 1024) // the highest that it rises by itself [glibc]
#define LIMIT_BYTES_MAX   (1UL << 40)          // and on request: fits into the length of a span

// The break grows by an eighth of the heap: few system calls, at most 12.5 % of untouched memory.
#define GROW_BYTES_MIN (CONFIG_TINY ? CHUNK_BYTES : 256UL * 1024)
#define GROW_BYTES_MAX (CONFIG_TINY ? 4 * CHUNK_BYTES : 32UL * 1024 * 1024)
// Distance of mappings of the region from the program break: room for other users of sbrk.
#define GROW_GAP_BYTES (64UL * 1024 * 1024)

#define PAGE_BYTES_MIN  4096UL // of the OS: os_page_bytes() is a multiple
#define HUGE_PAGE_BYTES (2UL * 1024 * 1024)
// Growth requests huge pages once this much is in use: one that is half used then costs at most an
// eighth.
#define HUGE_PAGE_HEAP_MIN (8UL * 1024 * 1024)
// A block that fills a unit wherever it begins: if no zeros are wanted, it is expected to be
// written to all over.
#define HUGE_PAGE_BLOCK_MIN (2 * HUGE_PAGE_BYTES)

// Bounds for the dirty free memory that is kept, a share of the recent top (budget.c).
#define RETAIN_BYTES_MIN (CONFIG_TINY ? 0UL : 512UL * 1024)
#define RETAIN_BYTES_MAX (64UL * 1024 * 1024)
#define PURGE_STEP_BYTES (1024UL * 1024) // one madvise under the lock: at most about 60 us
#define TRIM_BYTES_MIN   (CONFIG_TINY ? 2 * CHUNK_BYTES : 1024UL * 1024)

// Freed huge mappings that may be cached at any time (huge.c).
#define HUGE_CACHE_BYTES_MIN (8UL * 1024 * 1024)

#define CACHE_LINE_BYTES 64

static_assert(CONFIG_DEBUG == 0 || CONFIG_DEBUG == 1, "a switch");
static_assert(CONFIG_TINY == 0 || CONFIG_TINY == 1, "a switch");
static_assert(CONFIG_RSEQ == 0 || CPU_HAS_SEQUENCES == 1, "sequences: x86-64 and aarch64");
static_assert((MYALLOC_FORCE_PAGE & (MYALLOC_FORCE_PAGE - 1)) == 0, "a power of two");
static_assert(MYALLOC_FORCE_PAGE == 0 || MYALLOC_FORCE_PAGE >= PAGE_BYTES_MIN, "pages from 4 KiB");
static_assert(MYALLOC_FORCE_PAGE <= 65536, "the largest page that Linux has");
static_assert(MEDIUM_BYTES_MAX % CHUNK_BYTES == 0, "large blocks begin at whole chunks");
static_assert(GROW_BYTES_MIN % CHUNK_BYTES == 0, "growth in chunks");

#endif
