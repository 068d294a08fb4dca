/* rseq_x86_64.h - the sequences for x86-64; see rseq.h.
 *
 * Threads: any, also signal handlers.
 */
#ifndef CORE_RSEQ_X86_64_H
#define CORE_RSEQ_X86_64_H

#include "core/slot_data.h"

// Labels: 1 start, 2 after the commit, 3 descriptor, 4 abort, 5 miss, 6 end of the statement.
// The word before the abort address is the signature that glibc registers; together with the bytes
// before it, it is a trapping instruction. `missed`: the instructions for a miss.
#define RSEQ_SEQUENCE(missed)                                                                      \
    ".pushsection __rseq_cs, \"aw\", @progbits\n"                                                  \
    ".balign 32\n"                                                                                 \
    "3: .long 0, 0\n"                                                                              \
    ".quad 1f, 2f - 1f, 4f\n"                                                                      \
    ".popsection\n"                                                                                \
    ".pushsection .text.rseq_abort, \"ax\", @progbits\n"                                           \
    ".byte 0x0f, 0xb9, 0x3d\n"                                                                     \
    ".long 0x53053053\n"                                                                           \
    "4:\n"                                                                                         \
    "5: " missed "\n"                                                                              \
    ".popsection\n"                                                                                \
    "lea 3b(%%rip), %[slot]\n"                                                                     \
    "mov %[slot], %c[cs](%[area])\n"                                                               \
    "1:\n"                                                                                         \
    "movslq (%[area], %[id_offset]), %[slot]\n"                                                    \
    "shl %[shift], %[slot]\n"                                                                      \
    "add %[slots], %[slot]\n"

#define RSEQ_INPUTS(area_)                                                                         \
    [area] "r"(area_), [id_offset] "r"(g_slots.id_offset), [slots] "m"(g_slots.first),             \
        [shift] "i"(SLOT_SHIFT), [cs] "i"(RSEQ_CS_OFFSET)

// Pops the first block of the loaded magazine of bin [bin] + 1; for malloc, [bin] is the class.
// Misses if there is none, or its link is not sound.
#define RSEQ_POP_STEPS(miss)                                                                       \
    "mov %c[loaded](%[slot], %[bin], 8), %[list]\n"                                                \
    "mov %[list], %[block]\n"                                                                      \
    "shr $16, %[block]\n"                                                                          \
    "je " miss "\n"                                                                                \
    "mov (%[block]), %[link]\n"                                                                    \
    "sub %k[link], %k[list]\n"                                                                     \
    "cmp $1, %w[list]\n"                                                                           \
    "jne " miss "\n"                                                                               \
    "mov %[link], %c[loaded](%[slot], %[bin], 8)\n"                                                \
    "2:\n"

#define RSEQ_POP_INPUTS(area_, bin_)                                                               \
    RSEQ_INPUTS(area_), [bin] "r"((size_t)(bin_)),                                                 \
        [loaded] "i"(offsetof(struct slot, loaded) + sizeof(list_word))

// For malloc, which must not test anything twice: jumps to the label `miss`. The outputs are valid
// on the fall-through path only, after another asm: gcc 12 believes them set at the label as well,
// or not set at all (PR 113921). So no other sequence that has a result is an asm goto.
#define RSEQ_POP_OR_MISS(area_, bin_, block_)                                                      \
    do {                                                                                           \
        char *slot_;                                                                               \
        list_word list_;                                                                           \
        list_word link_;                                                                           \
        __asm__ volatile goto(                                                                     \
            RSEQ_SEQUENCE("jmp %l[miss]") RSEQ_POP_STEPS("%l[miss]")                               \
            : [slot] "=&r"(slot_), [list] "=&r"(list_), [link] "=&r"(link_), [block] "=&a"(block_) \
            : RSEQ_POP_INPUTS(area_, bin_)                                                         \
            : "cc", "memory"                                                                       \
            : miss);                                                                               \
        __asm__ volatile("");                                                                      \
    } while (0)

// The same as a function; NULL: a miss.
static inline void *rseq_pop_class(char *area, unsigned sc)
{
    char *slot;
    list_word list;
    list_word link;
    void *block;
    __asm__ volatile(
        RSEQ_SEQUENCE("xor %k[block], %k[block]\njmp 6f") RSEQ_POP_STEPS("5b") "6:\n"
        : [slot] "=&r"(slot), [list] "=&r"(list), [link] "=&r"(link), [block] "=&r"(block)
        : RSEQ_POP_INPUTS(area, sc)
        : "cc", "memory");
    return block;
}

// Pushes a block onto the loaded magazine; false: it has reached its limit, or the sequence was
// aborted. The temporaries are the only outputs.
static inline __attribute__((always_inline)) bool rseq_push(char *area, size_t bin, void *block)
{
    char *slot;
    list_word list;
    list_word shifted;
    __asm__ volatile goto(
        RSEQ_SEQUENCE("jmp %l[miss]") "mov %c[loaded](%[slot], %[bin], 8), %[list]\n"
                                      "cmp %c[limit](%[slot], %[bin], 2), %w[list]\n"
                                      "jae %l[miss]\n"
                                      "mov %[list], (%[block])\n"
                                      "imul $65536, %[block], %[shifted]\n" // shl, in one
                                      "movzwl %w[list], %k[list]\n"
                                      "lea 1(%[shifted], %[list]), %[list]\n"
                                      "mov %[list], %c[loaded](%[slot], %[bin], 8)\n"
                                      "2:\n"
        : [slot] "=&r"(slot), [list] "=&r"(list), [shifted] "=&r"(shifted)
        : RSEQ_INPUTS(area), [bin] "r"(bin), [block] "r"(block),
          [loaded] "i"(offsetof(struct slot, loaded)), [limit] "i"(offsetof(struct slot, limit))
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
    list_word found;
    uint32_t is_done;
    __asm__ volatile(
        RSEQ_SEQUENCE("xor %k[is_done], %k[is_done]\njmp 6f") "cmpb $0, %c[is_open](%[slot])\n"
                                                              "je 5b\n"
                                                              "mov (%[slot], %[at]), %[found]\n"
                                                              "mov %[list], (%[slot], %[at])\n"
                                                              "2: mov $1, %k[is_done]\n"
                                                              "6:\n"
        : [slot] "=&r"(slot), [found] "=&r"(found), [is_done] "=&r"(is_done)
        : RSEQ_INPUTS(area), [at] "r"(at), [list] "r"(list),
          [is_open] "i"(offsetof(struct slot, is_open))
        : "cc", "memory");
    if (is_done != 0) {
        *old = found;
    }
    return is_done != 0;
}

#endif
