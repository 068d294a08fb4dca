/* cfi.h - the unwind rows of .eh_frame, as the C++ unwinder reads them.
 *
 * Reads only constant memory of loaded objects; takes no lock and allocates nothing. Anything that
 * it does not understand is reported as "no row". */
#ifndef PROFILE_CFI_H
#define PROFILE_CFI_H

#include <stdbool.h>
#include <stdint.h>

#define CFI_REGISTERS 17 // of x86-64 in DWARF's order; the last one is the return address
#define CFI_RBX       3
#define CFI_RBP       6
#define CFI_RSP       7
#define CFI_RETURN    16

enum cfi_rule {
    CFI_SAME,
    CFI_UNDEFINED,
    CFI_AT_OFFSET,     // saved at the canonical frame address + offset
    CFI_IS_OFFSET,     // is that address itself
    CFI_IN_REGISTER,   // offset: its number
    CFI_AT_EXPRESSION, // saved at the result of the expression
    CFI_IS_EXPRESSION,
};

struct cfi_place {
    uint8_t rule; // enum cfi_rule
    int32_t offset;
    const uint8_t *expression; // begins with its length
};

struct cfi_row {
    uint8_t base;        // register of the canonical frame address; CFI_REGISTERS: expression
    bool is_signal;      // of the frame that the kernel makes for a handler
    int32_t base_offset; //
    const uint8_t *base_expression;
    struct cfi_place places[CFI_REGISTERS];
};

// The row for `pc`; `header`: .eh_frame_hdr of the object that holds it. False: there is none.
bool cfi_find(const uint8_t *header, uintptr_t pc, struct cfi_row *row);

// Evaluates an expression of a row; `first` is on its stack initially. False: unknown.
bool cfi_evaluate(const uint8_t *expression, const uintptr_t registers[CFI_REGISTERS],
                  uintptr_t first, uintptr_t *result);

#endif
