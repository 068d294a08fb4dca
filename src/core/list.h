/* list.h - a list of free blocks and its length, in one word.
 *
 * A list word is `first block << 16 | count`. The first eight bytes of a free block hold its link:
 * the word of the rest of the list. So a list carries its length, and changes hands as one word.
 *
 * The counts do not start at 0 but at g_list_end, which is random per process and never 0. A link
 * whose count is not one less than that of the word leading to it was overwritten, or its block was
 * freed twice. To forge a link, an attacker must guess 16 bits.
 *
 * Threads: whoever owns the list. LIST-1: count(word) == count(link of its first block) + 1.
 */
#ifndef CORE_LIST_H
#define CORE_LIST_H

#include "base/check.h"
#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t list_word;

#define LIST_COUNT_BITS 16
#define LIST_BLOCKS_MAX 4096U // more than any list holds
#define LIST_END_FIRST  1U    // before start-up: no list is made with it

extern HIDDEN uint16_t g_list_end; // [const] after slot_start(): the count of an empty list

static inline list_word list_empty(void)
{
    return g_list_end;
}

static inline void *list_first(list_word list)
{
    return (void *)(uintptr_t)(list >> LIST_COUNT_BITS); // NOLINT: the encoding
}

static inline bool list_is_empty(list_word list)
{
    return (list >> LIST_COUNT_BITS) == 0;
}

// Number of blocks in a list; 0 also for a word that was never set.
static inline unsigned list_count(list_word list)
{
    return list_is_empty(list) ? 0 : (uint16_t)((uint16_t)list - g_list_end);
}

static inline list_word list_link(const void *block)
{
    ASSERT(block != NULL);
    return *(const list_word *)block;
}

static inline void list_set_link(void *block, list_word link)
{
    ASSERT(block != NULL);
    ASSERT((uintptr_t)block % sizeof(list_word) == 0);
    *(list_word *)block = link;
}

static inline list_word list_push(list_word list, void *block)
{
    ASSERT(((uintptr_t)block >> CPU_ADDRESS_BITS) == 0);
    ASSERT(list_count(list) < LIST_BLOCKS_MAX);
    list_set_link(block, list);
    return (list_word)(uintptr_t)block << LIST_COUNT_BITS | (uint16_t)((uint16_t)list + 1);
}

// Inserts a block after the first one of a list, which must not be empty.
static inline list_word list_push_second(list_word list, void *block)
{
    ASSERT(!list_is_empty(list));
    ASSERT(block != list_first(list));
    void *first = list_first(list);
    list_set_link(first, list_push(list_link(first), block));
    return list + 1; // one more block, LIST-1
}

// True if LIST-1 holds for the first block of a list, which must not be empty.
static inline bool list_is_sound(list_word list)
{
    ASSERT(!list_is_empty(list));
    return (uint16_t)(list - list_link(list_first(list))) == 1;
}

#endif
