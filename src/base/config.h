/* config.h - every compile-time constant, with its unit and its reason. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/cpu.h"

#include <assert.h>

#ifndef CONFIG_DEBUG
#define CONFIG_DEBUG 0 // 1: assertions, lock rank checks, fault injection
#endif
#ifndef CONFIG_FEATURES
#define CONFIG_FEATURES 1 // 0: base, pages, core and front alone: `make check-core-only`
#endif
#ifndef CONFIG_TINY
#define CONFIG_TINY 0 // 1: tiny limits, so that every slow path runs constantly
#endif
#ifndef CONFIG_STATIC
#define CONFIG_STATIC 0 // 1: for libmyalloc.a, where no dynamic linker and no other malloc is
#endif
#ifndef MYALLOC_FORCE_PAGE
#define MYALLOC_FORCE_PAGE 0 // bytes: pretend that the system has pages of this size; 0: ask it
#endif

// Sanitizers and valgrind see no restartable sequence: their builds do without.
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

// A chunk is the unit of the region: four pages of 4 KiB. Smaller slabs fragment less memory
// between threads (threads x classes x slab / 2), larger ones are entered more seldom.
#define CHUNK_SHIFT 14
#define CHUNK_BYTES (1UL << CHUNK_SHIFT)

#define SMALL_BYTES_MAX       1024UL  // last small class: served by the fast path
#define MEDIUM_BYTES_MAX      32768UL // last medium class
#define SMALL_CLASSES         32      // 16-byte grid to 128, then 8 per doubling
#define MEDIUM_CLASSES        29      // 8 per doubling to 4 KiB, then 4608, then 4
#define PAGE_AND_HEADER_BYTES 4608U // what databases and buffers ask for: 5120 would waste a sixth
#define MEDIUM_END            (SMALL_CLASSES + MEDIUM_CLASSES)
#define SLAB_BYTES_MAX        (256UL * 1024) // last class of all
#define LARGE_CLASSES         16             // each 8 KiB to 64 KiB, then each 16 KiB
#define CLASSES               (MEDIUM_END + LARGE_CLASSES)
#define MEDIUM_BLOCKS_MAX     64
#define SMALL_BLOCKS_MAX      (CHUNK_BYTES / BLOCK_ALIGN_BYTES)

// Carving step: memory that no block needs yet stays untouched.
#define CARVE_BYTES 4096UL

// Requests from here on get a mapping of their own (M_MMAP_THRESHOLD changes it at run time).
#define HUGE_BYTES_MIN    (CONFIG_TINY ? 256UL * 1024 : 1024UL * 1024 + 1)
#define LARGE_BYTES_LIMIT (32UL * 1024 * 1024) // as far as that rises by itself [glibc]
#define LIMIT_BYTES_MAX   (1UL << 40)          // and as asked for: the length of a span can tell it

// The break grows by an eighth of the heap: few system calls, at most 12.5 % of untouched reserve.
#define GROW_BYTES_MIN (CONFIG_TINY ? CHUNK_BYTES : 256UL * 1024)
#define GROW_BYTES_MAX (CONFIG_TINY ? 4 * CHUNK_BYTES : 32UL * 1024 * 1024)
// Distance that the mmap break keeps from the program break: room for other users of sbrk.
#define GROW_GAP_BYTES (64UL * 1024 * 1024)

// From so many bytes in use on growth asks for huge pages: one that is half used costs an eighth at
// most.
#define HUGE_PAGE_HEAP_MIN (8UL * 1024 * 1024)
#define PAGE_BYTES_MIN     4096UL // of the OS: os_page_bytes() is a multiple
#define HUGE_PAGE_BYTES    (2UL * 1024 * 1024)

// Dirty free memory that may stay: a share of the recent peak, within these bounds (purge.c).
#define RETAIN_BYTES_MIN (CONFIG_TINY ? 0UL : 512UL * 1024)
#define RETAIN_BYTES_MAX (64UL * 1024 * 1024)
#define PURGE_STEP_BYTES (1024UL * 1024) // one madvise under the lock: at most some 60 us
#define TRIM_BYTES_MIN   (CONFIG_TINY ? 2 * CHUNK_BYTES : 1024UL * 1024)

// Freed huge mappings that may stay (huge.c).
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
