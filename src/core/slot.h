/* slot.h - the caches of a CPU: a loaded and a spare magazine of each size class.
 *
 * Any thread, inside a slow path unless said otherwise. A slot is written only by restartable
 * sequences that end in a single store: between any two functions the thread may migrate to another
 * CPU, and another thread may run on this one. Where the kernel restarts no sequences (old kernels,
 * valgrind, gVisor, musl), each thread has a slot of its own, and the same functions are plain C.
 */
#ifndef CORE_SLOT_H
#define CORE_SLOT_H

#include "base/lock.h"
#include "base/check.h"
#include "core/rseq.h"
#include "core/thread.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Which slot a thread uses (option cpu_cache).
enum slot_kind {
    SLOT_AUTO,
    SLOT_BY_CID,    // that of its concurrency id: only as many as threads run at once (Linux 6.3)
    SLOT_BY_CPU,    // that of its CPU
    SLOT_BY_THREAD, // its own, reached by slow paths only
};

// Called once, before any list is made. False: out of memory.
bool slot_start(enum slot_kind kind);
enum slot_kind slot_kind(void); // the kind in use

// Makes the fast paths of this thread, and of threads bound later, always miss: for modes that must
// see every request and free.
void slot_miss_always(void);

static inline size_t slot_bin(unsigned sc)
{
    ASSERT(sc < CLASSES);
    return sc + 1;
}

static inline size_t slot_loaded_at(unsigned sc)
{
    return offsetof(struct slot, loaded) + slot_bin(sc) * sizeof(list_word);
}

static inline size_t slot_spare_at(unsigned sc)
{
    return offsetof(struct slot, spare) + slot_bin(sc) * sizeof(list_word);
}

// The slot that this thread uses at the moment: it may migrate at any time; NULL: it has none.
static inline struct slot *slot_hint(void)
{
    return LIKELY(t_thread.area != NULL) ? rseq_slot(t_thread.area) : t_thread.own;
}

// ---- equivalents in plain C, for a thread that owns its slot ----

static inline void *slot_own_pop(struct slot *own, unsigned sc)
{
    ASSERT(own->is_open);
    list_word list = own->loaded[slot_bin(sc)];
    if (list_is_empty(list) || !list_is_sound(list)) {
        return NULL;
    }
    slot_set(&own->loaded[slot_bin(sc)], list_link(list_first(list)));
    return list_first(list);
}

static inline bool slot_own_push(struct slot *own, unsigned sc, void *block)
{
    ASSERT(own->is_open);
    ASSERT((uintptr_t)block % BLOCK_ALIGN_BYTES == 0);
    list_word list = own->loaded[slot_bin(sc)];
    uint16_t limit = atomic_load_explicit(&own->limit[slot_bin(sc)], memory_order_relaxed);
    if ((uint16_t)list >= limit) {
        return false;
    }
    slot_set(&own->loaded[slot_bin(sc)], list_push(list, block));
    return true;
}

static inline list_word slot_own_exchange(struct slot *own, size_t at, list_word list)
{
    ASSERT(own->is_open);
    ASSERT(at < offsetof(struct slot, limit));
    list_word *word = (list_word *)(void *)((char *)own + at);
    list_word old = *word;
    slot_set(word, list);
    return old;
}

// ---- either kind ----

// Pops a block of the loaded magazine, also outside slow paths; NULL: see rseq_pop_class, or the
// thread has no area.
static inline void *slot_pop_restarted(unsigned sc)
{
    return LIKELY(t_thread.area != NULL) ? rseq_pop_class(t_thread.area, sc) : NULL;
}

// Pops a block where the thread owns its slot. Only inside a slow path: nothing restarts it after a
// signal handler that allocates as well. NULL: no block, or no slot of its own.
static inline void *slot_pop_own(unsigned sc)
{
    bool is_own = UNLIKELY(t_thread.area == NULL) && t_thread.own != NULL;
    return is_own ? slot_own_pop(t_thread.own, sc) : NULL;
}

// Pops from the slot of either kind.
static inline void *slot_pop(unsigned sc)
{
    void *block = slot_pop_restarted(sc);
    return block != NULL ? block : slot_pop_own(sc);
}

// Pushes a block; false: see rseq_push.
static inline bool slot_push(unsigned sc, void *block)
{
    if (LIKELY(t_thread.area != NULL)) {
        return rseq_push(t_thread.area, slot_bin(sc), block);
    }
    return t_thread.own != NULL && slot_own_push(t_thread.own, sc, block);
}

// See rseq_exchange; `at`: slot_loaded_at() or slot_spare_at().
static inline bool slot_exchange(size_t at, list_word list, list_word *old)
{
    ASSERT(at % sizeof(list_word) == 0);
    ASSERT(at < offsetof(struct slot, limit));
    if (LIKELY(t_thread.area != NULL)) {
        return rseq_exchange(t_thread.area, at, list, old);
    }
    if (t_thread.own == NULL) {
        return false;
    }
    *old = slot_own_exchange(t_thread.own, at, list);
    return true;
}

// Binds this thread to its slot if necessary, and opens the slot; false: there is none.
bool slot_open(void);

static inline bool slot_is_open(void)
{
    const struct slot *slot = slot_hint();
    // acquire: pairs with the release in slot_open
    return slot != NULL && atomic_load_explicit(&slot->is_open, memory_order_acquire);
}

// ---- all slots ----

// Iterates over the open slots, starting with NULL; NULL: no more. Any thread, for inspection.
struct slot *slot_next(const struct slot *slot);
// As slot_next, without the slots that threads own.
struct slot *slot_next_of_cpu(const struct slot *slot);
// Keeps all threads out of the slots of CPUs; their lists may then be taken by plain loads and
// stores until slot_let_in(). False: no other slot, or refused; nothing changed.
bool slot_keep_out(void);
void slot_let_in(void);
// True if this is the only thread, as far as libc knows: then no sequence has to be restarted, and
// slot_keep_out() makes no system call, which a sandbox may forbid.
bool slot_is_alone(void);

// Counts a block of a bin that the slot handed out, for the modes that count them.
void slot_count_handed(struct slot *slot, size_t bin);

static inline uint64_t slot_handed(const struct slot *slot, size_t bin)
{
    ASSERT(bin < SLOT_BINS);
    // acquire: pairs with the release in slot_count_handed
    const slot_count *handed = atomic_load_explicit(&slot->handed, memory_order_acquire);
    return handed != NULL ? atomic_load_explicit(&handed[bin], memory_order_relaxed) : 0;
}

// Registers for the exit of this thread, which owns a slot. Outside slow paths, as it may allocate.
void slot_watch_exit(void);

// The number of the CPU, of the concurrency id, or of the thread whose slot it is.
size_t slot_number(const struct slot *slot);

void slot_each_lock(lock_visitor *visit); // for a fork
void slot_postfork_child(void);

#endif
