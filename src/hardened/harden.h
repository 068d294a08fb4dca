/* harden.h - hardened mode (harden:1 to 3): blocks up to MEDIUM_BYTES_MAX in slots of hardened
 * slabs, each with a canary after it; freed ones are zeroed and stay in quarantine before reuse.
 *
 * Free slots are cached per CPU, under the lock of the cache. The caller of functions with `cache`
 * holds its lock; the others are for any thread.
 */
#ifndef HARDENED_HARDEN_H
#define HARDENED_HARDEN_H

#include "base/lock.h"
#include "hardened/hslab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What each level does. All zero while hardened mode is off.
struct hcache;
struct harden_policy {
    bool is_on;
    bool is_quick;           // and no other feature must see each call
    bool checks_all;         // whole slots and canaries, not only their ends
    size_t quick_bytes;      // the usual malloc serves blocks up to this size, the usual free slots
    unsigned quick_classes;  // of the classes below this; 0: every free needs further checks
    bool moves_always;       // realloc always moves the block
    uint32_t quarantine_max; // freed slots of a class in the quarantine of a cache
    size_t quarantine_bytes; // and at most this many bytes of them
    size_t canary_bytes;     // after a block, besides the last eight of its slot
    size_t canary_bytes_medium;
    size_t alone_bytes; // blocks from this size on lie alone between guard pages
};
extern HIDDEN struct harden_policy g_harden; // [const] after harden_start, but for is_quick

// Once, before the first request; level 0 is off.
void harden_start(unsigned level, bool is_quick);

// Allocates `bytes`, less than g_harden.alone_bytes, all zero; NULL when out of memory.
void *harden_allocate(struct hcache *cache, size_t bytes, size_t alignment);

enum harden_finding { HARDEN_IN_USE, HARDEN_FREED, HARDEN_INTERIOR };
// Looks up `ptr`, which lies in the slab; *bytes: size of the current or last block in the slot, 0
// if unknown.
enum harden_finding harden_find(const struct hslab *slab, const void *ptr, size_t *bytes);

// Dies when the slot freed last was written to since, or when bytes next to the slot handed out
// last were overwritten.
void harden_check_last(struct hcache *cache);

// Frees the block in use in the slot; dies when its canary or a neighbouring slot was overwritten.
// cache NULL: there is no memory for one.
void harden_free(struct hcache *cache, struct hslab *slab, unsigned slot, const void *caller);

// Makes a slot that leaves the quarantine ready for reuse.
void harden_put(struct hcache *cache, unsigned sc, uint64_t word);

// Resizes a block within its slot; false: it needs another slot. A block that shrinks always does,
// so that further use of the old pointer is a use after free.
bool harden_resize(struct hslab *slab, void *ptr, size_t bytes, const void *caller);

// Locks the cache of this CPU, or another that nobody holds; NULL when there is no memory for one.
struct hcache *harden_acquire(void);
void harden_release(struct hcache *cache);

// Returns all slots in caches to their slabs.
void harden_flush(void);

void harden_each_lock(lock_visitor *visit); // for a fork

#endif
