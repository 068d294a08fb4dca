/* harden.h - hardened mode (harden:1 to 3): blocks up to MEDIUM_BYTES_MAX in slots of hardened
 * slabs, each with a canary behind it; freed ones are zero and stay in quarantine before they are
 * used again.
 *
 * Free slots are cached for each CPU, under a lock of the cache. Functions with `cache` are for
 * who holds it; the others for any thread.
 */
#ifndef HARDENED_HARDEN_H
#define HARDENED_HARDEN_H

#include "base/lock.h"
#include "hardened/hslab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What the levels do. All zero while hardened mode is off.
struct hcache;
struct harden_policy {
    bool is_on;
    bool is_quick;           // and nothing else wants to see every block
    bool checks_all;         // whole slots and canaries, not only their ends
    size_t quick_bytes;      // blocks up to so many are for the usual malloc, slots of the classes
    unsigned quick_classes;  // below for the usual free: 0 where more is to be looked at
    bool moves_always;       // a realloc never stays where it is
    uint32_t quarantine_max; // freed slots of a class in the quarantine of a cache
    size_t quarantine_bytes; // as above, at most so many bytes of them
    size_t canary_bytes;     // behind a block, besides the last eight of its slot
    size_t canary_bytes_medium;
    size_t alone_bytes; // blocks from here on lie alone between guard pages
};
extern HIDDEN struct harden_policy g_harden; // [const] after harden_start, but for is_quick

// Once, before the first request; 0 is off.
void harden_start(unsigned level, bool is_quick);

// A block of `bytes`, less than g_harden.alone_bytes, zero throughout; NULL without memory.
void *harden_allocate(struct hcache *cache, size_t bytes, size_t alignment);

enum harden_finding { HARDEN_IN_USE, HARDEN_FREED, HARDEN_INTERIOR };
// What stands at `ptr`, which lies in the slab; *bytes: of the block that is
// in the slot, or was, 0 unknown.
enum harden_finding harden_find(const struct hslab *slab, const void *ptr, size_t *bytes);

// Dies when the slot that was freed last was written to since, or when what is beside the one that
// was handed out last was written over.
void harden_check_last(struct hcache *cache);

// Frees the block in use in the slot; dies when it, or what is beside it, was written over.
// cache NULL: there is no memory for one.
void harden_free(struct hcache *cache, struct hslab *slab, unsigned slot, const void *caller);

// Makes a slot that leaves the quarantine ready.
void harden_put(struct hcache *cache, unsigned sc, uint64_t word);

// Changes the size of a block within its slot; false: it needs another. A block that shrinks always
// does: who goes on with the old pointer then meets a freed one.
bool harden_resize(struct hslab *slab, void *ptr, size_t bytes, const void *caller);

// The cache of this CPU, or another that nobody holds; NULL without memory for one.
struct hcache *harden_acquire(void);
void harden_release(struct hcache *cache);

// Puts all that lies in caches back into the slabs.
void harden_flush(void);

void harden_each_lock(lock_visitor *visit); // for a fork

#endif
