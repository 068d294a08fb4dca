/* rseq_aarch64.h - the sequences of aarch64; rseq.h says what they are.
 *
 * What x86-64 orders by itself: the word of a list and the link of its first block are ordered by
 * the address; what a user of the slot before us wrote, by the kernel, which changes threads and
 * ids with barriers. Left are slots that another CPU opens: rseq_exchange acquires is_open, and
 * rseq_push takes no word that was never set for a list, should it see the limit first.
 *
 * Threads: any, also signal handlers.
 */
#ifndef CORE_RSEQ_AARCH64_H
#define CORE_RSEQ_AARCH64_H

#include "core/slot_data.h"

static_assert(offsetof(struct slots, id_offset) == offsetof(struct slots, first) + 8, "ldp");

// Labels: 1 start, 2 behind the commit, 3 descriptor, 4 abort, 5 miss, 6 the end of the statement.
// The word before the abort address is the signature that glibc registers, an instruction that
// traps: brk #0x45e0. `missed`: what is done then. [two] is free for the steps afterwards.
#define RSEQ_SEQUENCE(missed)                                                                      \
    ".pushsection __rseq_cs, \"aw\", %%progbits\n"                                                 \
    ".balign 32\n"                                                                                 \
    "3: .long 0, 0\n"                                                                              \
    ".quad 1f, 2f - 1f, 4f\n"                                                                      \
    ".popsection\n"                                                                                \
    ".pushsection .text.rseq_abort, \"ax\", %%progbits\n"                                          \
    ".inst 0xd428bc00\n"                                                                           \
    "4:\n"                                                                                         \
    "5: " missed "\n"                                                                              \
    ".popsection\n"                                                                                \
    "adrp %[slot], 3b\n"                                                                           \
    "add %[slot], %[slot], :lo12:3b\n"                                                             \
    "str %[slot], [%[area], %[cs]]\n"                                                              \
    "1:\n"                                                                                         \
    "ldp %[slot], %[two], [%[slots]]\n"                                                            \
    "ldrsw %[two], [%[area], %[two]]\n"                                                            \
    "add %[slot], %[slot], %[two], lsl %[shift]\n"

#define RSEQ_INPUTS(area_)                                                                         \
    [area] "r"(area_), [slots] "r"(&g_slots), [shift] "i"(SLOT_SHIFT), [cs] "i"(RSEQ_CS_OFFSET)

// Takes the first block of the loaded magazine of the bin ahead of [bin], which for malloc is the
// size class. Misses when there is none, or its link is not sound.
#define RSEQ_POP_STEPS(miss)                                                                       \
    "add %[slot], %[slot], %[bin], lsl #3\n"                                                       \
    "ldr %[two], [%[slot], %[loaded]]\n"                                                           \
    "lsr %[block], %[two], #16\n"                                                                  \
    "cbz %[block], " miss "\n"                                                                     \
    "ldr %[link], [%[block]]\n"                                                                    \
    "sub %w[two], %w[two], #1\n"                                                                   \
    "eor %w[two], %w[two], %w[link]\n"                                                             \
    "tst %w[two], #0xffff\n"                                                                       \
    "b.ne " miss "\n"                                                                              \
    "str %[link], [%[slot], %[loaded]]\n"                                                          \
    "2:\n"

#define RSEQ_POP_INPUTS(area_, bin_)                                                               \
    RSEQ_INPUTS(area_), [bin] "r"((size_t)(bin_)),                                                 \
        [loaded] "i"(offsetof(struct slot, loaded) + sizeof(list_word))

// For malloc, where nothing may be tested twice: jumps to the label `miss`. What is put out may be
// used on the way on only; see rseq_x86_64.h.
#define RSEQ_POP_OR_MISS(area_, bin_, block_)                                                      \
    do {                                                                                           \
        char *slot_;                                                                               \
        list_word two_;                                                                            \
        list_word link_;                                                                           \
        __asm__ volatile goto(                                                                     \
            RSEQ_SEQUENCE("b %l[miss]") RSEQ_POP_STEPS("%l[miss]")                                 \
            : [slot] "=&r"(slot_), [two] "=&r"(two_), [link] "=&r"(link_), [block] "=&r"(block_)   \
            : RSEQ_POP_INPUTS(area_, bin_)                                                         \
            : "cc", "memory"                                                                       \
            : miss);                                                                               \
        __asm__ volatile("");                                                                      \
    } while (0)

// The same as a function; NULL: missed.
static inline void *rseq_pop_class(char *area, unsigned sc)
{
    char *slot;
    list_word two;
    list_word link;
    void *block;
    __asm__ volatile(
        RSEQ_SEQUENCE("mov %[block], xzr\nb 6f") RSEQ_POP_STEPS("5b") "6:\n"
        : [slot] "=&r"(slot), [two] "=&r"(two), [link] "=&r"(link), [block] "=&r"(block)
        : RSEQ_POP_INPUTS(area, sc)
        : "cc", "memory");
    return block;
}

// Puts a block into the loaded magazine; false: it has as many as it may have, or the sequence was
// aborted. The temporaries are the only output.
static inline __attribute__((always_inline)) bool rseq_push(char *area, size_t bin, void *block)
{
    char *slot;
    list_word two;
    size_t limit;
    __asm__ volatile goto(
        RSEQ_SEQUENCE("b %l[miss]") "add %[limit], %[slot], %[bin], lsl #1\n"
                                    "ldrh %w[limit], [%[limit], %[limits]]\n"
                                    "add %[slot], %[slot], %[bin], lsl #3\n"
                                    "ldr %[two], [%[slot], %[loaded]]\n"
                                    "cmp %w[limit], %w[two], uxth\n"
                                    "b.ls %l[miss]\n"
                                    "cbz %[two], %l[miss]\n" // never set: see above
                                    "str %[two], [%[block]]\n"
                                    "add %[two], %[two], #1\n"
                                    "bfi %[two], %[block], #16, #48\n"
                                    "str %[two], [%[slot], %[loaded]]\n"
                                    "2:\n"
        : [slot] "=&r"(slot), [two] "=&r"(two), [limit] "=&r"(limit)
        : RSEQ_INPUTS(area), [bin] "r"(bin), [block] "r"(block),
          [loaded] "i"(offsetof(struct slot, loaded)), [limits] "i"(offsetof(struct slot, limit))
        : "cc", "memory"
        : miss);
    return true;
miss:
    return false;
}

// Puts `list` in the place of the word `at` bytes from the beginning of the slot; *old: what was
// there. False: the slot is not open, or the sequence was aborted; nothing changed.
static inline bool rseq_exchange(char *area, size_t at, list_word list, list_word *old)
{
    char *slot;
    list_word two;
    uint32_t is_done;
    __asm__ volatile(
        RSEQ_SEQUENCE("mov %w[is_done], wzr\nb 6f") "add %[two], %[slot], %[is_open]\n"
                                                    // pairs with the release in fill_empty
                                                    "ldarb %w[two], [%[two]]\n"
                                                    "cbz %w[two], 5b\n"
                                                    "ldr %[two], [%[slot], %[at]]\n"
                                                    "str %[list], [%[slot], %[at]]\n"
                                                    "2: mov %w[is_done], #1\n"
                                                    "6:\n"
        : [slot] "=&r"(slot), [two] "=&r"(two), [is_done] "=&r"(is_done)
        : RSEQ_INPUTS(area), [at] "r"(at), [list] "r"(list),
          [is_open] "i"(offsetof(struct slot, is_open))
        : "cc", "memory");
    if (is_done != 0) {
        *old = two;
    }
    return is_done != 0;
}

#endif
