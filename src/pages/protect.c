/* protect.c - pages that nobody can read or write, and pages made zero.
 *
 * Owns:       the count of them in a row.
 * Threads:    any.
 * Locks:      none.
 * Invariants: PROTECT-1  what reserves its rows takes at most half of the mappings that a process
 *                        may have; nothing more once hidden pages could not be shown again.
 *
 * Each row of hidden pages makes two mappings more. A process has 65,530 unless its system says
 * otherwise; the rest is for the program.
 *
 * To write zeros to a page that is in memory costs a twentieth of a page fault, which one that was
 * purged costs at its next use; one that is not in memory is left to the kernel. Which these are, a
 * look at a few pages tells: to ask for it (mincore) is no call that sandboxes allow.
 */
#include "pages/protect.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/config.h"
#include "base/os.h"

#include <string.h>

#define ROWS_MAX        16384        // PROTECT-1
#define CLEARED_UNASKED (4UL * 4096) // bytes that cost less than the look
#define PIECE_BYTES     (1UL << 20)  // that a look is about
#define LOOKS           2            // pages; one that is not in memory costs a fault

static struct {
    _Atomic(unsigned) rows;    // [atomic] reserved
    _Atomic(bool) lacks_marks; // [atomic] the kernel refused one
    _Atomic(bool) was_refused; // [atomic] to show what was hidden: data is limited
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
    ASSERT(guard != PROTECT_NONE);
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
    ASSERT(guard != PROTECT_NONE);
    return protect_show(start, bytes) &&
           (guard != PROTECT_MARKED || bytes == 0 || os_mark_hidden(start, bytes, false));
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
    while (written < wanted && zero <= looks - wanted) { // each page not in memory is a fault
        size_t at = pages * (2 * (written + zero) + 1) / (2 * looks);
        is_zero(start + at * page, page) ? zero++ : written++;
    }
    return looks != 0 && written == wanted;
}

void protect_clear(char *start, size_t bytes)
{
    ASSERT((uintptr_t)start % os_page_bytes() == 0);
    ASSERT(bytes % os_page_bytes() == 0);
    while (bytes != 0) {
        size_t some = min_size(bytes, PIECE_BYTES);
        if (some <= CLEARED_UNASKED || protect_is_written(start, some) || !os_purge(start, some)) {
            memset(start, 0, some);
        }
        start += some;
        bytes -= some;
    }
}
