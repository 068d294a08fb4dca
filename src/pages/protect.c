/* protect.c - pages that nobody can read or write, and pages made zero.
 *
 * Owns:       the count of them in a row.
 * Threads:    any.
 * Locks:      none.
 * Invariants: PROTECT-1  what reserves its rows takes at most half of the mappings that a process
 *                        may have.
 *
 * Each row of hidden pages makes two mappings more. A process has 65,530 unless its system says
 * otherwise; the rest is for the program.
 *
 * To write zeros to a page that is in memory costs a twentieth of a page fault, which one that was
 * purged costs at its next use; one that is not in memory is left to the kernel.
 */
#include "pages/protect.h"

#include "base/bits.h"
#include "base/compiler.h"
#include "base/config.h"
#include "base/os.h"

#include <string.h>

#define ROWS_MAX        16384        // PROTECT-1
#define CLEARED_UNASKED (4UL * 4096) // bytes that cost less than the question

static struct {
    _Atomic(unsigned) rows; // [atomic] reserved
} g_protect;

bool protect_reserve(unsigned rows)
{
    if (os_page_bytes() > CHUNK_BYTES) {
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
    atomic_fetch_sub_explicit(&g_protect.rows, rows, memory_order_relaxed);
}

bool protect_hide(void *start, size_t bytes)
{
    return bytes == 0 || os_protect(start, bytes, false);
}

bool protect_show(void *start, size_t bytes)
{
    return bytes == 0 || os_protect(start, bytes, true);
}

bool protect_is_resident(void *start, size_t bytes)
{
    unsigned char pages[PROTECT_LOOK_BYTES / PAGE_BYTES_MIN];
    size_t count = os_residence(start, bytes, pages);
    size_t resident = 0;
    for (size_t i = 0; i < count; i++) {
        resident += pages[i] & 1U;
    }
    return count != 0 && resident >= count / 2;
}

void protect_clear(char *start, size_t bytes)
{
    while (bytes != 0) {
        size_t some = min_size(bytes, PROTECT_LOOK_BYTES);
        if (some <= CLEARED_UNASKED || protect_is_resident(start, some) || !os_purge(start, some)) {
            memset(start, 0, some);
        }
        start += some;
        bytes -= some;
    }
}
