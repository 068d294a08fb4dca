/* rseq_aarch64.h - the sequences for aarch64; see rseq.h.
 *
 * Ordering that x86-64 gives for free: loading a list word before the link of its first block is
 * ordered by the address dependency; writes of the slot's previous user are ordered by the kernel,
 * which switches threads and ids with barriers. That leaves slots opened by another CPU:
 * rseq_exchange acquires is_open, and rseq_push rejects a word that was never set, in case it sees
 * the limit first.
 *
 * Threads: any, also signal handlers.
 */
#ifndef CORE_RSEQ_AARCH64_H
#define CORE_RSEQ_AARCH64_H

#include "core/slot_data.h"

static_assert(offsetof(struct slots, id_offset) == offsetof(struct slots, first) + 8, "ldp");

// Labels: 1 start, 2 after the commit, 3 descriptor, 4 abort, 5 miss, 6 end of the statement.
// The word before the abort address is the signature that glibc registers, a trapping instruction:
// brk #0x45e0. `missed`: the instructions for a miss. [two] is free for the steps that follow.
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

// Pops the first block of the loaded magazine of bin [bin] + 1; for malloc, [bin] is the class.
// Misses if there is none, or its link is not sound.
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

// For malloc, which must not test anything twice: jumps to the label `miss`. The outputs are valid
// on the fall-through path only; see rseq_x86_64.h.
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

// The same as a function; NULL: a miss.
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

// Pushes a block onto the loaded magazine; false: it has reached its limit, or the sequence was
// aborted. The temporaries are the only outputs.
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

// Stores `list` into the word at offset `at` of the slot; *old: the previous word. False: the slot
// is not open, or the sequence was aborted; nothing changed.
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
