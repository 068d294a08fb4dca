/* cfi.c - the rows of .eh_frame.
 *
 * Owns:       only the rows remembered while a program of rows runs.
 * Threads:    one at a time: the holder of LOCK_PROFILE.
 * Locks:      takes none.
 * Invariants: CFI-1  nothing is read beyond the end of an entry, as given by its length.
 *
 * [DWARF 5, section 6.4; Linux Standard Base, "Exception Frames"] A binary search in the table of
 * .eh_frame_hdr finds the entry of a function (FDE), which refers to a common one (CIE); the
 * programs of both compute the row. Only the encodings that today's linkers write are supported.
 */
#include "profile/cfi.h"

#include "base/check.h"

#include <stddef.h>
#include <string.h>

#define TABLE_FORM    0x3b // sdata4, relative to the header
#define COUNT_FORM    0x03 // udata4
#define FORM_PCREL    0x10
#define FORM_INDIRECT 0x80
#define ROWS_KEPT     4 // remember_state within remember_state
#define STACK_WORDS   16

struct reader {
    const uint8_t *at, *end; // CFI-1: at > end after a read beyond it
};

struct entry {
    struct reader program;        // of the function
    struct reader common_program; // of those that share it
    uint64_t code_step;
    int64_t data_step;
    uintptr_t start;
    bool is_signal;
};

static struct cfi_row g_kept[ROWS_KEPT];

// ---- numbers ----

static uint64_t take_fixed(struct reader *reader, size_t bytes)
{
    ASSERT(bytes <= sizeof(uint64_t));
    uint64_t value = 0;
    if (reader->at > reader->end || bytes > (size_t)(reader->end - reader->at)) {
        reader->at = reader->end + 1;
        return 0;
    }
    memcpy(&value, reader->at, bytes);
    reader->at += bytes;
    ASSERT(reader->at <= reader->end); // CFI-1
    return value;
}

static int64_t take_signed(struct reader *reader, size_t bytes)
{
    ASSERT(bytes != 0);
    ASSERT(bytes <= sizeof(uint64_t));
    unsigned unused = 64 - 8 * (unsigned)bytes;
    return (int64_t)(take_fixed(reader, bytes) << unused) >> unused;
}

// LEB128; `bits`: how many it had.
static uint64_t take_leb(struct reader *reader, unsigned *bits)
{
    uint64_t value = 0;
    uint8_t byte;
    *bits = 0;
    do {
        byte = (uint8_t)take_fixed(reader, 1);
        if (*bits < 64) {
            value |= (uint64_t)(byte & 0x7f) << *bits;
            *bits += 7;
        }
    } while ((byte & 0x80) != 0);
    ASSERT(*bits != 0);
    ASSERT(*bits < 64 + 7);
    return value;
}

static uint64_t take_unsigned_leb(struct reader *reader)
{
    unsigned bits;
    return take_leb(reader, &bits);
}

static int64_t take_signed_leb(struct reader *reader)
{
    unsigned bits;
    uint64_t value = take_leb(reader, &bits);
    return bits >= 64 ? (int64_t)value : (int64_t)(value << (64 - bits)) >> (64 - bits);
}

// An address in one of the encodings of exception tables.
static uintptr_t take_address(struct reader *reader, uint8_t form)
{
    uintptr_t place = (uintptr_t)reader->at;
    int64_t value = 0;
    switch (form & 0x0f) {
    case 0x00: // of 8 bytes
    case 0x04:
    case 0x0c:
        value = take_signed(reader, 8);
        break;
    case 0x03:
        value = (int64_t)take_fixed(reader, 4);
        break;
    case 0x0b:
        value = take_signed(reader, 4);
        break;
    default:
        reader->at = reader->end + 1;
        break;
    }
    return (uintptr_t)value + ((form & 0x70) == FORM_PCREL ? place : 0);
}

static bool is_whole(const struct reader *reader)
{
    return reader->at <= reader->end;
}

// ---- entries ----

// The entry of the last function that begins at or before `pc`; NULL: none.
static const uint8_t *search(const uint8_t *header, uintptr_t pc)
{
    ASSERT(header != NULL);
    if (header[0] != 1 || header[2] != COUNT_FORM || header[3] != TABLE_FORM) {
        return NULL;
    }
    struct reader reader = {header + 4, header + 16};
    take_address(&reader, header[1]);
    uint32_t count = (uint32_t)take_fixed(&reader, 4);
    if (!is_whole(&reader) || count == 0) {
        return NULL;
    }
    const uint8_t *table = reader.at;
    int64_t wanted = (int64_t)(pc - (uintptr_t)header);
    size_t low = 0;
    for (size_t high = count; high - low > 1;) {
        size_t middle = low + (high - low) / 2;
        ASSERT(middle < count);
        int32_t start;
        memcpy(&start, table + 8 * middle, sizeof start);
        start <= wanted ? (void)(low = middle) : (void)(high = middle);
    }
    int32_t offset;
    memcpy(&offset, table + 8 * low + 4, sizeof offset);
    return header + offset;
}

// Begins an entry or a common one; false: of an unknown kind.
static bool begin(struct reader *reader, const uint8_t *at)
{
    uint32_t length;
    ASSERT(at != NULL);
    memcpy(&length, at, sizeof length);
    *reader = (struct reader){at + 4, at + 4 + length};
    return length != 0 && length != UINT32_MAX;
}

// Reads a common entry as its augmentation letters say; false: one is unknown.
static bool take_letters(struct reader *reader, const char *letters, struct entry *entry,
                         uint8_t *form)
{
    for (; *letters != '\0'; letters++) {
        if (*letters == 'R') {
            *form = (uint8_t)take_fixed(reader, 1);
        } else if (*letters == 'P') {
            uint8_t personality = (uint8_t)take_fixed(reader, 1);
            take_address(reader, personality & (uint8_t)~FORM_INDIRECT);
        } else if (*letters == 'L') {
            take_fixed(reader, 1);
        } else if (*letters == 'S') {
            entry->is_signal = true;
        } else {
            return false;
        }
    }
    return true;
}

static bool read_common(const uint8_t *at, struct entry *entry, uint8_t *form)
{
    struct reader reader;
    if (!begin(&reader, at) || take_fixed(&reader, 4) != 0) {
        return false;
    }
    uint64_t version = take_fixed(&reader, 1);
    const char *letters = (const char *)reader.at;
    while (is_whole(&reader) && take_fixed(&reader, 1) != 0) {
    }
    entry->code_step = take_unsigned_leb(&reader);
    entry->data_step = take_signed_leb(&reader);
    uint64_t result = version == 1 ? take_fixed(&reader, 1) : take_unsigned_leb(&reader);
    *form = 0;
    entry->is_signal = false;
    if (!is_whole(&reader) || result != CFI_RETURN || (version != 1 && version != 3)) {
        return false;
    }
    if (letters[0] == 'z') {
        uint64_t bytes = take_unsigned_leb(&reader);
        struct reader own = reader;
        if (bytes > (uint64_t)(reader.end - reader.at) ||
            !take_letters(&own, letters + 1, entry, form)) {
            return false;
        }
        reader.at += bytes;
    } else if (letters[0] != '\0') {
        return false;
    }
    ASSERT(is_whole(&reader)); // CFI-1
    entry->common_program = reader;
    return is_whole(&reader);
}

// False: `pc` does not lie in the function of this entry.
static bool read_entry(const uint8_t *at, uintptr_t pc, struct entry *entry)
{
    struct reader reader;
    uint8_t form;
    if (!begin(&reader, at)) {
        return false;
    }
    const uint8_t *place = reader.at;
    uint64_t back = take_fixed(&reader, 4);
    if (back == 0 || !read_common(place - back, entry, &form)) {
        return false;
    }
    entry->start = take_address(&reader, form);
    uintptr_t bytes = take_address(&reader, form & 0x0f);
    uint64_t skipped = take_unsigned_leb(&reader); // augmentation data: landing pads
    if (!is_whole(&reader) || skipped > (uint64_t)(reader.end - reader.at)) {
        return false;
    }
    reader.at += skipped;
    ASSERT(is_whole(&reader)); // CFI-1
    entry->program = reader;
    return pc >= entry->start && pc - entry->start < bytes;
}

// ---- programs ----

struct run {
    const struct entry *entry;
    struct cfi_row *row;
    const struct cfi_row *first; // what `restore` restores; NULL while it is computed
    struct reader code;
    uintptr_t pc, at;
    unsigned kept;
    bool is_bad;
};

static void set_place(struct run *run, uint64_t number, enum cfi_rule rule, int64_t offset)
{
    ASSERT(rule <= CFI_IS_EXPRESSION);
    if (number < CFI_REGISTERS) { // other registers are not needed
        run->row->places[number] = (struct cfi_place){(uint8_t)rule, (int32_t)offset, NULL};
    }
}

static const uint8_t *take_expression(struct run *run)
{
    const uint8_t *expression = run->code.at;
    uint64_t bytes = take_unsigned_leb(&run->code);
    if (!is_whole(&run->code) || bytes > (uint64_t)(run->code.end - run->code.at)) {
        run->is_bad = true;
        return NULL;
    }
    run->code.at += bytes;
    ASSERT(is_whole(&run->code)); // CFI-1
    return expression;
}

static void restore_place(struct run *run, uint64_t number)
{
    ASSERT(run->first != run->row);
    if (run->first == NULL) {
        run->is_bad = true;
    } else if (number < CFI_REGISTERS) {
        run->row->places[number] = run->first->places[number];
    }
}

static void keep_row(struct run *run, bool keeps)
{
    ASSERT(run->kept <= ROWS_KEPT);
    if (keeps && run->kept < ROWS_KEPT) {
        g_kept[run->kept++] = *run->row;
    } else if (!keeps && run->kept > 0) {
        *run->row = g_kept[--run->kept];
    } else {
        run->is_bad = true;
    }
}

static void set_base(struct run *run, uint64_t base, int64_t offset)
{
    run->is_bad |= base >= CFI_REGISTERS;
    run->row->base = (uint8_t)base;
    run->row->base_offset = (int32_t)offset;
}

static void put_expression(struct run *run, enum cfi_rule rule)
{
    uint64_t number = take_unsigned_leb(&run->code);
    const uint8_t *expression = take_expression(run);
    set_place(run, number, rule, 0);
    if (number < CFI_REGISTERS) {
        run->row->places[number].expression = expression;
    }
}

// Instructions that say where a register is saved.
static void do_place(struct run *run, uint8_t code)
{
    ASSERT(code < 0x40); // others carry a register in the low bits
    struct reader *reader = &run->code;
    int64_t step = run->entry->data_step;
    uint64_t number = take_unsigned_leb(reader);
    switch (code) {
    case 0x05: // offset_extended
        set_place(run, number, CFI_AT_OFFSET, (int64_t)take_unsigned_leb(reader) * step);
        break;
    case 0x11: // offset_extended_sf
        set_place(run, number, CFI_AT_OFFSET, take_signed_leb(reader) * step);
        break;
    case 0x06: // restore_extended
        restore_place(run, number);
        break;
    case 0x07: // undefined
        set_place(run, number, CFI_UNDEFINED, 0);
        break;
    case 0x08: // same_value
        set_place(run, number, CFI_SAME, 0);
        break;
    case 0x09: // register
        set_place(run, number, CFI_IN_REGISTER, (int64_t)take_unsigned_leb(reader));
        break;
    case 0x14: // val_offset
        set_place(run, number, CFI_IS_OFFSET, (int64_t)take_unsigned_leb(reader) * step);
        break;
    default:
        run->is_bad = true;
        break;
    }
}

// Instructions about the canonical frame address, and the rest.
static void do_other(struct run *run, uint8_t code)
{
    struct reader *reader = &run->code;
    uint64_t base;
    switch (code) {
    case 0x0a: // remember_state
    case 0x0b: // restore_state
        keep_row(run, code == 0x0a);
        break;
    case 0x0c: // def_cfa
        base = take_unsigned_leb(reader);
        set_base(run, base, (int64_t)take_unsigned_leb(reader));
        break;
    case 0x12: // def_cfa_sf
        base = take_unsigned_leb(reader);
        set_base(run, base, take_signed_leb(reader) * run->entry->data_step);
        break;
    case 0x0d: // def_cfa_register
        set_base(run, take_unsigned_leb(reader), run->row->base_offset);
        break;
    case 0x0e: // def_cfa_offset
        run->row->base_offset = (int32_t)take_unsigned_leb(reader);
        break;
    case 0x0f: // def_cfa_expression
        run->row->base = CFI_REGISTERS;
        run->row->base_expression = take_expression(run);
        break;
    case 0x10: // expression
    case 0x16: // val_expression
        put_expression(run, code == 0x10 ? CFI_AT_EXPRESSION : CFI_IS_EXPRESSION);
        break;
    case 0x2e: // GNU_args_size
        take_unsigned_leb(reader);
        break;
    default:
        do_place(run, code);
        break;
    }
}

// True while the row is that of `pc`, or one before it.
static bool advance(struct run *run, uint64_t steps)
{
    ASSERT(run->at <= run->pc);
    run->at += steps * run->entry->code_step;
    return run->at <= run->pc;
}

// Computes the row at run->pc; false: the program is invalid.
static bool run_program(struct run *run)
{
    ASSERT(is_whole(&run->code));
    ASSERT(run->at <= run->pc);
    while (run->code.at < run->code.end && !run->is_bad) {
        uint8_t code = (uint8_t)take_fixed(&run->code, 1);
        uint8_t low = code & 0x3f;
        bool goes_on = true;
        switch (code & 0xc0) {
        case 0x40: // advance_loc
            goes_on = advance(run, low);
            break;
        case 0x80: // offset
            set_place(run, low, CFI_AT_OFFSET,
                      (int64_t)take_unsigned_leb(&run->code) * run->entry->data_step);
            break;
        case 0xc0: // restore
            restore_place(run, low);
            break;
        default:
            if (code >= 0x02 && code <= 0x04) { // advance_loc1, 2, 4
                goes_on = advance(run, take_fixed(&run->code, (size_t)1 << (code - 2)));
            } else if (code != 0) {
                do_other(run, code);
            }
            break;
        }
        if (!goes_on) {
            break;
        }
    }
    return !run->is_bad && is_whole(&run->code);
}

bool cfi_find(const uint8_t *header, uintptr_t pc, struct cfi_row *row)
{
    struct entry entry;
    const uint8_t *at = search(header, pc);
    if (at == NULL || !read_entry(at, pc, &entry)) {
        return false;
    }
    ASSERT(pc >= entry.start);
    memset(row, 0, sizeof *row);
    struct run run = {.entry = &entry, .row = row, .pc = pc, .at = entry.start};
    run.code = entry.common_program;
    if (!run_program(&run)) {
        return false;
    }
    struct cfi_row first = *row;
    run.code = entry.program;
    run.first = &first;
    run.at = entry.start;
    row->is_signal = entry.is_signal;
    return run_program(&run);
}

// ---- expressions ----

struct machine {
    struct reader code;
    uintptr_t stack[STACK_WORDS];
    unsigned depth;
    bool is_bad;
};

static void push(struct machine *machine, uintptr_t value)
{
    ASSERT(machine->depth <= STACK_WORDS);
    machine->is_bad |= machine->depth == STACK_WORDS;
    if (!machine->is_bad) {
        machine->stack[machine->depth++] = value;
    }
}

static uintptr_t pop(struct machine *machine)
{
    ASSERT(machine->depth <= STACK_WORDS);
    machine->is_bad |= machine->depth == 0;
    return machine->is_bad ? 0 : machine->stack[--machine->depth];
}

static uintptr_t compute(struct machine *machine, uint8_t code)
{
    uintptr_t b = pop(machine);
    uintptr_t a = pop(machine);
    switch (code) {
    case 0x1a: // and
        return a & b;
    case 0x1c: // minus
        return a - b;
    case 0x1e: // mul
        return a * b;
    case 0x21: // or
        return a | b;
    case 0x22: // plus
        return a + b;
    case 0x24: // shl
        return b < 64 ? a << b : 0;
    case 0x25: // shr
        return b < 64 ? a >> b : 0;
    case 0x2a: // ge
        return (intptr_t)a >= (intptr_t)b;
    case 0x2d: // lt
        return (intptr_t)a < (intptr_t)b;
    default:
        machine->is_bad = true;
        return 0;
    }
}

static void do_operation(struct machine *machine, uint8_t code,
                         const uintptr_t registers[CFI_REGISTERS])
{
    struct reader *reader = &machine->code;
    if (code >= 0x30 && code <= 0x4f) { // lit0 to lit31
        push(machine, code - 0x30U);
    } else if (code >= 0x70 && code <= 0x70 + CFI_RETURN) { // breg0 to breg16
        push(machine, registers[code - 0x70] + (uintptr_t)take_signed_leb(reader));
    } else if (code == 0x06) { // deref
        uintptr_t at = pop(machine);
        push(machine, machine->is_bad ? 0 : *(const uintptr_t *)at); // NOLINT: of the stack
    } else if (code == 0x08 || code == 0x0a || code == 0x0c) {       // const1u, 2u, 4u
        push(machine, take_fixed(reader, (size_t)1 << ((code - 0x08) / 2)));
    } else if (code == 0x09 || code == 0x0b || code == 0x0d) { // const1s, 2s, 4s
        push(machine, (uintptr_t)take_signed(reader, (size_t)1 << ((code - 0x09) / 2)));
    } else if (code == 0x10) { // constu
        push(machine, take_unsigned_leb(reader));
    } else if (code == 0x11) { // consts
        push(machine, (uintptr_t)take_signed_leb(reader));
    } else if (code == 0x23) { // plus_uconst
        push(machine, pop(machine) + take_unsigned_leb(reader));
    } else {
        push(machine, compute(machine, code));
    }
}

bool cfi_evaluate(const uint8_t *expression, const uintptr_t registers[CFI_REGISTERS],
                  uintptr_t first, uintptr_t *result)
{
    struct machine machine = {.code = {expression, expression + 16}};
    if (expression == NULL) {
        return false;
    }
    uint64_t bytes = take_unsigned_leb(&machine.code);
    ASSERT(machine.code.at > expression);
    machine.code.end = machine.code.at + bytes;
    push(&machine, first);
    while (machine.code.at < machine.code.end && !machine.is_bad) {
        do_operation(&machine, (uint8_t)take_fixed(&machine.code, 1), registers);
    }
    *result = pop(&machine);
    return !machine.is_bad && is_whole(&machine.code);
}
