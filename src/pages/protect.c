/* protect.c - makes pages inaccessible (guards, hidden pages), and makes pages zero.
 *
 * Owns:       the number of reserved rows of hidden pages.
 * Threads:    any.
 * Locks:      none.
 * Invariants: PROTECT-1  callers that reserve their rows use at most half of the mappings that a
 *                        process may have, and no more once hidden pages could not be shown again.
 *
 * Each row of adjacent hidden pages adds two mappings. A process may have 65,530 by default; the
 * other half is for the program.
 *
 * Zeroing a resident page costs a twentieth of the page fault that a purged page costs at its next
 * use; a page that is not resident is left to the kernel. Reading a few pages tells which is the
 * case: mincore(2) is not a call that sandboxes allow.
 */
#include "pages/protect.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/config.h"
#include "base/os.h"

#include <string.h>

#define ROWS_MAX        16384        // PROTECT-1
#define CLEARED_UNASKED (4UL * 4096) // bytes whose zeroing costs less than sampling
#define PIECE_BYTES     (1UL << 20)  // bytes that one sampling decides about
#define LOOKS           2            // pages sampled; one that is not resident costs a fault

static struct {
    _Atomic(unsigned) rows;    // [atomic] reserved
    _Atomic(bool) lacks_marks; // [atomic] the kernel refused to mark guard pages
    _Atomic(bool) was_refused; // [atomic] hidden pages could not be shown again: data is limited
} g_protect;

bool protect_reserve(unsigned rows)
{
    ASSERT(rows != 0);
    if (os_page_bytes() > CHUNK_BYTES ||
        atomic_load_explicit(&g_protect.was_refused, memory_order_relaxed)) {
        return false;
    }
    unsigned before = atomic_fetch_add_explicit(&g_protect.rows, rows, memory_order_relaxed);
    if (UNLIKELY(before + rows > ROWS_MAX)) {
        protect_unreserve(rows);
        return false;
    }
    return true;
}

void protect_unreserve(unsigned rows)
{
    ASSERT(atomic_load_explicit(&g_protect.rows, memory_order_relaxed) >= rows);
    atomic_fetch_sub_explicit(&g_protect.rows, rows, memory_order_relaxed);
}

bool protect_hide(void *start, size_t bytes)
{
    ASSERT((uintptr_t)start % os_page_bytes() == 0);
    ASSERT(bytes % os_page_bytes() == 0);
    return bytes == 0 || os_protect(start, bytes, false);
}

bool protect_show(void *start, size_t bytes)
{
    ASSERT((uintptr_t)start % os_page_bytes() == 0);
    ASSERT(bytes % os_page_bytes() == 0);
    if (bytes == 0 || os_protect(start, bytes, true)) {
        return true;
    }
    atomic_store_explicit(&g_protect.was_refused, true, memory_order_relaxed);
    return false;
}

enum protect_guard protect_kind(void)
{
    return atomic_load_explicit(&g_protect.lacks_marks, memory_order_relaxed) ? PROTECT_HIDDEN
                                                                              : PROTECT_MARKED;
}

bool protect_guard_more(void *start, size_t bytes, enum protect_guard guard)
{
    if (guard == PROTECT_NONE) {
        return false;
    }
    if (guard == PROTECT_MARKED) {
        if (bytes == 0 || os_mark_hidden(start, bytes, true)) {
            return true;
        }
        atomic_store_explicit(&g_protect.lacks_marks, true, memory_order_relaxed);
    }
    return protect_hide(start, bytes);
}

bool protect_guard_less(void *start, size_t bytes, enum protect_guard guard)
{
    return guard == PROTECT_NONE ||
           (protect_show(start, bytes) &&
            (guard != PROTECT_MARKED || bytes == 0 || os_mark_hidden(start, bytes, false)));
}

enum protect_guard protect_guard(void *start, size_t bytes)
{
    ASSERT(bytes != 0);
    if (os_page_bytes() <= CHUNK_BYTES && protect_kind() == PROTECT_MARKED) {
        if (os_mark_hidden(start, bytes, true)) {
            return PROTECT_MARKED;
        }
        atomic_store_explicit(&g_protect.lacks_marks, true, memory_order_relaxed);
    }
    if (!protect_reserve(1)) {
        return PROTECT_NONE;
    }
    if (!protect_hide(start, bytes)) {
        protect_unreserve(1);
        return PROTECT_NONE;
    }
    return PROTECT_HIDDEN;
}

bool protect_unguard(void *start, size_t bytes, enum protect_guard guard)
{
    ASSERT(bytes != 0);
    if (guard == PROTECT_MARKED) {
        return os_mark_hidden(start, bytes, false);
    }
    if (guard == PROTECT_HIDDEN) {
        if (!protect_show(start, bytes)) {
            return false;
        }
        protect_unreserve(1);
    }
    return true;
}

static bool is_zero(const char *page, size_t bytes)
{
    ASSERT(bytes % sizeof(size_t) == 0);
    const size_t *word = (const size_t *)(const void *)page;
    const size_t *end = (const size_t *)(const void *)(page + bytes);
    while (word != end && *word == 0) {
        word++;
    }
    return word == end;
}

bool protect_is_written(const char *start, size_t bytes)
{
    ASSERT(bytes % os_page_bytes() == 0);
    size_t page = os_page_bytes();
    size_t pages = bytes / page;
    size_t looks = min_size(pages, LOOKS);
    size_t written = 0;
    size_t zero = 0;
    size_t wanted = (looks + 1) / 2;
    while (written < wanted && zero <= looks - wanted) { // each page not resident is a fault
        size_t at = pages * (2 * (written + zero) + 1) / (2 * looks);
        is_zero(start + at * page, page) ? zero++ : written++;
    }
    return looks != 0 && written == wanted;
}

void protect_clear(char *start, size_t bytes)
{
    bool is_whole = ((uintptr_t)start | bytes) % os_page_bytes() == 0;
    while (bytes != 0) {
        size_t some = min_size(bytes, PIECE_BYTES);
        if (!is_whole || some <= CLEARED_UNASKED || protect_is_written(start, some) ||
            !os_purge(start, some)) {
            memset(start, 0, some);
        }
        start += some;
        bytes -= some;
    }
}
