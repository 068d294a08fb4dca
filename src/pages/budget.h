/* budget.h - decides how much free memory may stay resident. Any thread; no lock held by the
 * caller. Called by purge.c, which does the work, and by page_heap.c. */
#ifndef PAGES_BUDGET_H
#define PAGES_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

// Called after spans of `bytes` (0: a huge block) were freed, and before anything is purged.
void budget_follow_free(size_t bytes);
// Called with the bytes of huge blocks in use, and of those in the cache of huge.c, after a change.
void budget_follow_huge(size_t used, size_t cached);
// Counts these calls but for the first; wraps. For callers that wait until nothing changes.
size_t budget_changes(void);

// Called with the bytes of huge blocks that were unmapped and mapped.
void budget_note_unmapped(size_t bytes);
void budget_note_mapped(size_t bytes);

// Called when more is free than the budget: may find that purging does not pay, and raise it.
void budget_learn(void);

// Bytes of dirty spans that may stay; bytes that the cache of huge.c may hold.
size_t budget_bytes(void);
size_t budget_bytes_for_huge(void);

// The most in use lately, as far as frees noticed it.
size_t budget_top_bytes(void);
// What was purged came back lately.
bool budget_is_breathing(void);
// Much less is in use than at the top.
bool budget_is_low(void);
// As budget_is_low(), and nothing should be kept.
bool budget_is_over(void);
// As budget_is_low(), but what is free is probably needed again: budget_watch() decides.
bool budget_is_waiting(void);

// Called for each malloc while budget_is_waiting(); false: no more, it is over or not low any more.
bool budget_watch(void);

// Verifies the counts; dies if they are inconsistent. No other thread may allocate or free
// meanwhile.
void budget_check(void);

#endif
