/* page_fit.h - which free span serves a request: first fit, best fit, segregated fit.
 *
 * The free spans hang in bins by length. All functions need LOCK_PAGE_HEAP, held by span.c.
 */
#ifndef PAGES_PAGE_FIT_H
#define PAGES_PAGE_FIT_H

#include <stddef.h>

enum page_fit_policy {
    PAGE_FIT_FIRST,      // the lowest address that fits
    PAGE_FIT_BEST,       // the shortest that fits; among equals the lowest of the first few
    PAGE_FIT_SEGREGATED, // the newest of the first bin whose spans all fit
};

void page_fit_set_policy(enum page_fit_policy policy);

// The span stands in the map: first entry with its length.
void page_fit_insert(size_t index);
void page_fit_remove(size_t index);

// A free span of at least `length` chunks, which stays in its bin. Best fit looks at a few spans of
// a bin only: 0 when there is none, or it hides behind shorter ones.
size_t page_fit_find(size_t length);
// Looks at all of the bin where it may hide: takes a time for each. When memory is short.
size_t page_fit_find_hidden(size_t length);

#endif
