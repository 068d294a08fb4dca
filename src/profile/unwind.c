/* unwind.c - walks the stack of the calling thread.
 *
 * Owns:       a cache of rows, by return address.
 * Threads:    one at a time: the holder of LOCK_PROFILE.
 * Locks:      takes none. _dl_find_object of glibc takes none either.
 * Invariants: UNWIND-1  each frame lies above the last one: the walk ends.
 *             UNWIND-2  memory that no table describes is read only after the kernel has confirmed
 *                       that it is readable.
 *
 * If the object has a row for the address, it is used. If not (code compiled at run time, or
 * assembler), the frame pointer is followed if it points to something that looks like a frame.
 * The rows of most functions are simple: the frame is at an offset from the stack or the frame
 * pointer, with saved registers below. These are cached, since the same functions recur. A cached
 * row is valid as long as the loader has the same object there.
 */
#include "profile/unwind.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/cpu.h"
#include "base/os.h"
#include "base/proc_maps.h"
#include "base/symbol.h"
#include "profile/cfi.h"

#include <string.h>

#define ROWS      1024U       // a power of two
#define FRAME_MAX (1UL << 24) // bytes of a frame that a table describes
#define GUESS_MAX (1UL << 20) // of a frame found by the frame pointer

// A row that needs no expression, in 32 bytes.
struct simple_row {
    uintptr_t pc;
    const uint8_t *header;
    int32_t base_offset;
    uint8_t base;    // CFI_RSP or CFI_RBP
    int8_t saved[7]; // of rbx, rbp, r12 to r15, the return address: words from the frame; 0: same
};

struct frame {
    uintptr_t registers[CFI_REGISTERS];
    bool is_exact; // the address is that of an interrupt, not a return address
};

static const uint8_t g_saved_registers[7] = {CFI_RBX, CFI_RBP, 12, 13, 14, 15, CFI_RETURN};

static struct {
    uintptr_t readable; // [lock: LOCK_PROFILE] a page known to be readable
    struct cfi_row row; // [lock: LOCK_PROFILE] the current one
    struct simple_row rows[ROWS];
} g_unwind;

// ---- rows ----

static struct simple_row *row_place(uintptr_t pc)
{
    return &g_unwind.rows[(pc * 0x9e3779b97f4a7c15UL) >> 54];
}
static_assert(ROWS == 1U << (64 - 54), "as many as the hash has");

// Caches a row if it is simple.
static void keep_row(uintptr_t pc, const uint8_t *header, const struct cfi_row *row)
{
    ASSERT(header != NULL);
    struct simple_row simple = {
        .pc = pc, .header = header, .base = row->base, .base_offset = row->base_offset};
    bool is_simple = (row->base == CFI_RSP || row->base == CFI_RBP) && !row->is_signal;
    for (unsigned i = 0; i < sizeof g_saved_registers; i++) {
        const struct cfi_place *place = &row->places[g_saved_registers[i]];
        int32_t words = place->offset / 8;
        ASSERT(place->rule <= CFI_IS_EXPRESSION);
        bool is_saved = place->rule == CFI_AT_OFFSET && words < 0 && words >= INT8_MIN;
        is_simple = is_simple && (is_saved || (place->rule == CFI_SAME && i != 6));
        simple.saved[i] = (int8_t)(is_saved ? words : 0);
    }
    if (is_simple) {
        *row_place(pc) = simple;
    }
}

static uintptr_t word_at(uintptr_t address)
{
    return *(const uintptr_t *)address; // NOLINT: of a stack
}

// UNWIND-1
static bool is_above(const struct frame *frame, uintptr_t top, size_t most)
{
    uintptr_t bottom = frame->registers[CFI_RSP];
    return top > bottom && top - bottom <= most && top % sizeof(uintptr_t) == 0;
}

static bool step_simple(struct frame *frame, const struct simple_row *row)
{
    ASSERT(row->base == CFI_RSP || row->base == CFI_RBP);
    uintptr_t *registers = frame->registers;
    uintptr_t top = registers[row->base] + (uintptr_t)(intptr_t)row->base_offset;
    if (!is_above(frame, top, FRAME_MAX)) {
        return false;
    }
    for (unsigned i = 0; i < sizeof g_saved_registers; i++) {
        if (row->saved[i] != 0) {
            registers[g_saved_registers[i]] =
                word_at(top + (uintptr_t)((intptr_t)row->saved[i] * 8));
        }
    }
    ASSERT(top > registers[CFI_RSP]); // UNWIND-1
    registers[CFI_RSP] = top;
    frame->is_exact = false;
    return true;
}

// The value of a register in the caller's frame; false: unknown.
static bool find_register(const struct frame *frame, const struct cfi_row *row, unsigned number,
                          uintptr_t top, uintptr_t *value)
{
    ASSERT(number < CFI_REGISTERS);
    const struct cfi_place *place = &row->places[number];
    uintptr_t at = top + (uintptr_t)(intptr_t)place->offset;
    switch ((enum cfi_rule)place->rule) {
    case CFI_SAME:
        *value = number == CFI_RSP ? top : frame->registers[number];
        return number != CFI_RETURN;
    case CFI_AT_OFFSET:
        *value = word_at(at);
        return true;
    case CFI_IS_OFFSET:
        *value = at;
        return true;
    case CFI_IN_REGISTER:
        *value = frame->registers[(unsigned)place->offset % CFI_REGISTERS];
        return true;
    case CFI_AT_EXPRESSION:
    case CFI_IS_EXPRESSION:
        if (!cfi_evaluate(place->expression, frame->registers, top, &at)) {
            return false;
        }
        *value = place->rule == CFI_AT_EXPRESSION ? word_at(at) : at;
        return true;
    case CFI_UNDEFINED:
        break;
    }
    *value = 0;
    return number != CFI_RETURN;
}

static bool step_by_row(struct frame *frame, const struct cfi_row *row)
{
    ASSERT(row->base <= CFI_REGISTERS);
    uintptr_t top;
    if (row->base == CFI_REGISTERS) {
        if (!cfi_evaluate(row->base_expression, frame->registers, 0, &top)) {
            return false;
        }
    } else {
        top = frame->registers[row->base] + (uintptr_t)(intptr_t)row->base_offset;
    }
    // A handler may have a stack of its own, anywhere.
    if (!row->is_signal && !is_above(frame, top, FRAME_MAX)) {
        return false;
    }
    struct frame above = {.is_exact = row->is_signal};
    for (unsigned i = 0; i < CFI_REGISTERS; i++) {
        if (!find_register(frame, row, i, top, &above.registers[i])) {
            return false;
        }
    }
    *frame = above;
    return true;
}

// ---- frame pointers ----

// UNWIND-2
static bool can_read(uintptr_t address)
{
    uintptr_t page = align_down(address, os_page_bytes());
    if (page != g_unwind.readable) {
        if (!proc_maps_can_read(page, os_page_bytes())) {
            return false;
        }
        g_unwind.readable = page;
    }
    ASSERT(page == g_unwind.readable); // UNWIND-2
    return true;
}

static bool step_by_pointer(struct frame *frame)
{
    uintptr_t *registers = frame->registers;
    uintptr_t at = registers[CFI_RBP];
    uintptr_t top = at + 2 * sizeof at;
    if (!is_above(frame, top, GUESS_MAX) || !can_read(at) || !can_read(top - 1)) {
        return false;
    }
    registers[CFI_RSP] = top;
    registers[CFI_RBP] = word_at(at);
    registers[CFI_RETURN] = word_at(at + sizeof at);
    frame->is_exact = false;
    return true;
}

// ---- the walk ----

static bool step(struct frame *frame)
{
    uintptr_t pc = frame->registers[CFI_RETURN] - !frame->is_exact; // inside the call
    // On other architectures registers have other numbers.
    const uint8_t *header = CPU_HAS_UNWIND_ROWS ? symbol_unwind_rows(pc) : NULL;
    const struct simple_row *simple = row_place(pc);
    ASSERT(simple < g_unwind.rows + ROWS);
    if (header != NULL && simple->pc == pc && simple->header == header) {
        return step_simple(frame, simple);
    }
    if (header == NULL || !cfi_find(header, pc, &g_unwind.row)) {
        return step_by_pointer(frame);
    }
    keep_row(pc, header, &g_unwind.row);
    return step_by_row(frame, &g_unwind.row);
}

NOINLINE unsigned unwind_stack(const void *caller, const void **frames)
{
    ASSERT(frames != NULL);
    struct frame frame = {.is_exact = true};
    unsigned count = 0;
    unsigned passed = 0; // frames of our own come first
    g_unwind.readable = 0;
    CPU_LOOK_AT_REGISTERS(frame.registers);
    while (count < UNWIND_FRAMES_MAX && passed < UNWIND_FRAMES_MAX && step(&frame)) {
        const void *address = (const void *)frame.registers[CFI_RETURN]; // NOLINT: of code
        if (address == NULL) {
            break;
        }
        if (count != 0 || address == caller) {
            frames[count++] = address;
        } else {
            passed++;
        }
    }
    if (count == 0 && caller != NULL) {
        frames[count++] = caller;
    }
    ASSERT(count <= UNWIND_FRAMES_MAX);
    return count;
}
