/* guard.c - guard:N: sampled blocks between hidden pages.
 *
 * Owns:       the pool, the records of its blocks, the handlers of SIGSEGV and SIGBUS.
 * Threads:    any.
 * Locks:      LOCK_GUARD for the records; the handlers take none.
 * Invariants: GUARD-1  a page of the pool is readable exactly while a block in use lies in it.
 *             GUARD-2  pages are reused first in, first out.
 *             GUARD-3  a signal that is not about the pool has the effect it would have without us.
 *
 * A block lies at the end of its page, so that the byte after it is hidden, except for up to 15
 * bytes of padding for its alignment, which hold a pattern. One in four lies at the beginning, to
 * detect writes before it. Stacks come from _Unwind_Backtrace of libgcc_s; if that is not available
 * a stack is only the caller.
 */
#include "sampling/guard.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/fatal.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/symbol.h"
#include "pages/protect.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#define PLACES     64    // pages for blocks; with as many hidden ones, half a MiB of address space
#define SLACK_BYTE 0xa5U // between the end of a block and that of its page

struct place {
    char *ptr; // of the block; NULL: never used
    size_t bytes;
    _Atomic(bool) is_used;
    bool is_protected; // hidden by protect.c, not by a mark
    uint32_t next;     // place freed after this one
    struct fatal_stack taken, freed;
};

struct guard_pool g_guard;

static struct {
    struct lock lock;
    struct place *places;       // [lock: LOCK_GUARD] PLACES of them
    uint32_t first, last;       // [lock: LOCK_GUARD] of the free ones, oldest first; PLACES: none
    void *backtrace, *address;  // [const] of the unwinder; NULL: there is none
    struct sigaction before[2]; // [const] once armed
    _Atomic(bool) is_reset[2];  // [atomic] a one-shot handler (SA_RESETHAND) has run
} g_guarded = {.lock = LOCK_INIT(LOCK_GUARD)};

static const int g_signals[2] = {SIGSEGV, SIGBUS};

// ---- places ----

static char *page_of(uint32_t place)
{
    ASSERT(place < PLACES);
    size_t page = os_page_bytes();
    return (char *)(g_guard.start + page + 2 * page * place); // NOLINT: our own mapping
}

// The place whose page, or the hidden one after it, holds the address; the first one for addresses
// before it.
static uint32_t place_near(uintptr_t address)
{
    ASSERT(address - g_guard.start < g_guard.bytes); // what guard_is_inside() says
    size_t page = os_page_bytes();
    size_t offset = address - g_guard.start;
    size_t place = offset < page ? 0 : (offset - page) / (2 * page);
    ASSERT(place < PLACES);
    return (uint32_t)place;
}

static void free_put_locked(uint32_t place)
{
    ASSERT(!g_guarded.places[place].is_used); // GUARD-1
    g_guarded.places[place].next = PLACES;
    if (g_guarded.first == PLACES) {
        g_guarded.first = place;
    } else {
        g_guarded.places[g_guarded.last].next = place;
    }
    g_guarded.last = place;
}

static uint32_t free_take_locked(void)
{
    uint32_t place = g_guarded.first;
    if (place != PLACES) {
        ASSERT(place < PLACES);
        ASSERT(!g_guarded.places[place].is_used);
        g_guarded.first = g_guarded.places[place].next;
    }
    return place;
}

// Maps the pool, all hidden, by guard marks if the kernel has them (*is_marked); NULL when out of
// memory.
static char *map_pool(size_t bytes, bool *is_marked)
{
    ASSERT(bytes % os_page_bytes() == 0);
    char *start = os_map(NULL, bytes);
    *is_marked = start != NULL && os_mark_hidden(start, bytes, true);
    if (*is_marked || start == NULL) {
        return start;
    }
    os_unmap(start, bytes);
    return os_map_none(bytes);
}

void guard_start(uint64_t every)
{
    size_t page = os_page_bytes();
    size_t bytes = (2 * PLACES + 1) * page;
    bool is_marked;
    ASSERT(every != 0);
    ASSERT(g_guard.start == 0);
    char *start = map_pool(bytes, &is_marked);
    struct place *places = os_map(NULL, align_up(PLACES * sizeof *places, page));
    if (start == NULL || places == NULL) {
        return;
    }
    g_guarded.places = places;
    g_guarded.first = PLACES;
    g_guard = (struct guard_pool){(uintptr_t)start, bytes, every};
    for (uint32_t place = 0; place < PLACES; place++) {
        places[place].is_protected = !is_marked;
        free_put_locked(place);
    }
}

// GUARD-1; false: the kernel refuses.
static bool show(const struct place *place, char *start)
{
    ASSERT(!place->is_used);
    size_t page = os_page_bytes();
    return place->is_protected ? protect_show(start, page) : os_mark_hidden(start, page, false);
}

static bool hide(struct place *place, char *start)
{
    ASSERT(!place->is_used); // GUARD-1
    size_t page = os_page_bytes();
    place->is_protected = place->is_protected || !os_mark_hidden(start, page, true);
    if (place->is_protected) { // locked memory cannot have guard marks
        os_purge(start, page);
        return protect_hide(start, page);
    }
    return true;
}

// ---- stacks ----

struct unwinding {
    struct fatal_stack *stack;
    const void *caller;
    bool has_begun; // frames of our own come first
};

// As in the C++ ABI; 0 continues.
typedef int unwind_step(void *context, void *argument);
typedef int unwind_backtrace(unwind_step *step, void *argument);
typedef uintptr_t unwind_address(void *context);

static int note_frame(void *context, void *argument)
{
    struct unwinding *unwinding = argument;
    struct fatal_stack *stack = unwinding->stack;
    ASSERT(stack->count < FATAL_FRAMES_MAX);
    unwind_address *address = (unwind_address *)g_guarded.address;
    const void *frame = (const void *)address(context); // NOLINT: an address of code
    unwinding->has_begun |= frame == unwinding->caller;
    if (unwinding->has_begun && frame != NULL && stack->count < FATAL_FRAMES_MAX) {
        stack->frames[stack->count++] = frame;
    }
    return stack->count == FATAL_FRAMES_MAX;
}

static void note_stack(struct fatal_stack *stack, const void *caller)
{
    struct unwinding unwinding = {stack, caller, false};
    stack->count = 0;
    stack->thread_id = os_thread_id_of_libc();
    if (g_guarded.backtrace != NULL) {
        ((unwind_backtrace *)g_guarded.backtrace)(note_frame, &unwinding);
    }
    if (stack->count == 0 && caller != NULL) {
        stack->frames[stack->count++] = caller;
    }
}

// ---- complaints ----

static NORETURN void complain(enum fatal_sampled_kind kind, const struct place *place,
                              const void *caller)
{
    ASSERT(place->ptr != NULL);
    fatal_sampled(kind,
                  &(struct fatal_story){place->ptr, place->bytes, &place->taken,
                                        place->is_used ? NULL : &place->freed},
                  caller);
}

// The place that an access to a hidden page is attributed to: the one before it, unless only the
// one after it was ever used, or is nearer.
static const struct place *place_beside(uintptr_t address, bool *is_before)
{
    uint32_t left = place_near(address);
    uint32_t right = left + 1 < PLACES ? left + 1 : left;
    const struct place *place = &g_guarded.places[left];
    const struct place *other = &g_guarded.places[right];
    if (address < (uintptr_t)page_of(0)) {
        other = place;
    }
    bool is_nearer =
        place->ptr == NULL || (other->is_used && !place->is_used) ||
        (uintptr_t)other->ptr - address < address - (uintptr_t)place->ptr - place->bytes;
    *is_before = other->ptr != NULL && is_nearer;
    return *is_before ? other : place;
}

static void on_own_fault(uintptr_t address, const void *code)
{
    ASSERT(guard_is_inside((const void *)address)); // NOLINT: only compared
    uint32_t near = place_near(address);
    const char *page = page_of(near);
    const struct place *place = &g_guarded.places[near];
    if (address - (uintptr_t)page < os_page_bytes()) {
        if (place->ptr != NULL && !place->is_used) {
            complain(FATAL_ACCESS_FREED, place, code);
        }
        return;
    }
    bool is_before;
    place = place_beside(address, &is_before);
    if (place->ptr != NULL) {
        complain(is_before ? FATAL_ACCESS_BEFORE : FATAL_ACCESS_BEHIND, place, code);
    }
}

// As the kernel does without a handler: a fault happens again, and a sent signal is sent again.
static void end_by(int signal, const siginfo_t *info, const void *context)
{
    os_signal_default(signal);
    if (!os_is_fault(info, context)) {
        os_signal_again(signal, info);
    }
}

// The previous handler gets the signal as if the kernel had delivered it: GUARD-3. Only faults are
// examined: the siginfo of a sent signal has the sender in place of the address.
static void on_fault(int signal, siginfo_t *info, void *context)
{
    unsigned at = signal == SIGBUS;
    ASSERT(signal == g_signals[at]);
    const struct sigaction *before = &g_guarded.before[at];
    if (info->si_code > 0 && guard_is_inside(info->si_addr)) {
        on_own_fault((uintptr_t)info->si_addr, os_context_code(context));
    }
    bool is_gone = ((unsigned)before->sa_flags & SA_RESETHAND) != 0 &&
                   atomic_exchange_explicit(&g_guarded.is_reset[at], true, memory_order_relaxed);
    if (before->sa_handler == SIG_IGN && !os_is_fault(info, context)) {
        return;
    }
    if (before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN || is_gone) {
        end_by(signal, info, context);
        return;
    }
    os_signals_hold(&before->sa_mask, (before->sa_flags & SA_NODEFER) != 0 ? 0 : signal);
    before->sa_sigaction(signal, info, context); // a tail call: an unwinder does not see us
}

void guard_arm(void)
{
    void *library = CONFIG_STATIC ? NULL : dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL);
    void *backtrace = library != NULL ? symbol_behind(library, "_Unwind_Backtrace") : NULL;
    g_guarded.address = library != NULL ? symbol_behind(library, "_Unwind_GetIP") : NULL;
    g_guarded.backtrace = g_guarded.address != NULL ? backtrace : NULL;
    for (unsigned i = 0; i < 2; i++) {
        os_signal_take(g_signals[i], on_fault, &g_guarded.before[i]);
    }
}

// ---- blocks ----

static size_t slack_behind(const struct place *place)
{
    size_t page = os_page_bytes();
    size_t offset = (uintptr_t)place->ptr % page;
    ASSERT(offset + place->bytes <= page);
    return offset == 0 ? 0 : page - offset - place->bytes; // at the beginning: it has no slack
}

void *guard_allocate(size_t bytes, uint64_t random, const void *caller)
{
    size_t page = os_page_bytes();
    lock_acquire(&g_guarded.lock);
    uint32_t number = free_take_locked();
    lock_release(&g_guarded.lock);
    if (number == PLACES) {
        return NULL;
    }
    struct place *place = &g_guarded.places[number];
    char *start = page_of(number);
    if (!show(place, start)) { // the place stays unused
        return NULL;
    }
    size_t behind = random >> 62 == 0 ? 0 : page - align_up(max_size(bytes, 1), BLOCK_ALIGN_BYTES);
    ASSERT(bytes <= page);
    ASSERT(!place->is_used);
    place->ptr = start + behind;
    place->bytes = bytes;
    size_t slack = slack_behind(place);
    ASSERT(slack <= BLOCK_ALIGN_BYTES); // all of a block of 0 bytes
    memset(place->ptr + bytes, (int)SLACK_BYTE, slack);
    note_stack(&place->taken, caller);
    place->is_used = true;
    return place->ptr;
}

enum guard_finding guard_find(const void *ptr, size_t *bytes)
{
    const struct place *place = &g_guarded.places[place_near((uintptr_t)ptr)];
    *bytes = place->bytes;
    if (place->ptr != ptr) {
        return GUARD_INTERIOR;
    }
    return place->is_used ? GUARD_IN_USE : GUARD_FREED;
}

static bool is_slack_whole(const struct place *place)
{
    bool is_whole = true;
    for (size_t i = 0; i < slack_behind(place); i++) {
        is_whole &= (unsigned char)place->ptr[place->bytes + i] == SLACK_BYTE;
    }
    return is_whole;
}

void guard_free(void *ptr, const void *caller)
{
    uint32_t number = place_near((uintptr_t)ptr);
    struct place *place = &g_guarded.places[number];
    ASSERT(place->ptr == ptr);
    if (!place->is_used) {
        complain(FATAL_SAMPLED_DOUBLE, place, caller);
    }
    if (!is_slack_whole(place)) {
        complain(FATAL_SAMPLED_OVERFLOW, place, caller);
    }
    note_stack(&place->freed, caller);
    place->is_used = false;
    if (!hide(place, page_of(number))) {
        return; // the place stays unused
    }
    lock_acquire(&g_guarded.lock);
    free_put_locked(number); // GUARD-2
    lock_release(&g_guarded.lock);
}

bool guard_look(unsigned at, const void **ptr, size_t *bytes)
{
    if (g_guard.every == 0 || at >= PLACES) {
        return false;
    }
    const struct place *place = &g_guarded.places[at];
    *ptr = place->is_used ? place->ptr : NULL;
    *bytes = place->bytes;
    return true;
}

// ---- fork ----

void guard_each_lock(lock_visitor *visit)
{
    visit(&g_guarded.lock);
}
