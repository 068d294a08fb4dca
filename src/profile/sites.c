/* sites.c - the table of stacks.
 *
 * Owns:       the table, the memory of the stacks, the sums.
 * Threads:    written by the holder of LOCK_PROFILE; sites are never removed, so readers need no
 *             lock but may see inconsistent counts.
 * Locks:      takes LOCK_META, for memory.
 * Invariants: SITES-1  a site is never removed and never moves.
 *             SITES-2  live.sampled_blocks == 0: everything in `live` is 0.
 *
 * The peak needs no copy of the table: each new highest sum has a number, and the first change of a
 * site after a peak saves what the site held then. A site that has not changed since still holds
 * it.
 */
#include "profile/sites.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/meta_alloc.h"
#include "base/os.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#define SITES_A_PIECE 512U
#define PIECES        (SITES_MAX / SITES_A_PIECE)
#define BUCKETS       (2UL * SITES_MAX)
#define FRAMES_BYTES  (64UL * 1024) // memory for stacks is allocated in pieces of this size

static struct {
    uint32_t *buckets;           // [lock: LOCK_PROFILE] by hash; 0: none. Untouched until used
    struct site *pieces[PIECES]; // [lock: LOCK_PROFILE]
    _Atomic(uint32_t) count;     // [atomic] of sites
    char *frames;                // [lock: LOCK_PROFILE] room for stacks
    size_t frames_left;          // [lock: LOCK_PROFILE] bytes
    uint16_t peak_number;        // [lock: LOCK_PROFILE] counts the peaks, modulo 2^16
    double live_bytes;           // [lock: LOCK_PROFILE] the sum
    double peak_bytes;           // [lock: LOCK_PROFILE] the highest so far
} g_sites;

uint32_t sites_count(void)
{
    // acquire: pairs with the release in add_site
    return atomic_load_explicit(&g_sites.count, memory_order_acquire);
}

static struct site *at(uint32_t number)
{
    ASSERT(number < SITES_MAX);
    ASSERT(g_sites.pieces[number / SITES_A_PIECE] != NULL); // SITES-1
    return &g_sites.pieces[number / SITES_A_PIECE][number % SITES_A_PIECE];
}

const struct site *sites_at(uint32_t number)
{
    ASSERT(number < sites_count());
    return at(number);
}

// ---- finding ----

static uint32_t bucket_of(const void *const *frames, unsigned count)
{
    uint64_t hash = count;
    for (unsigned i = 0; i < count; i++) {
        hash = (hash ^ (uintptr_t)frames[i]) * 0x9e3779b97f4a7c15UL;
        hash ^= hash >> 29;
    }
    return (uint32_t)((hash >> 32) % BUCKETS);
}

static const void **copy_frames(const void *const *frames, unsigned count)
{
    size_t bytes = count * sizeof *frames;
    ASSERT(bytes <= FRAMES_BYTES);
    if (g_sites.frames == NULL || g_sites.frames_left < bytes) {
        char *piece = meta_alloc(FRAMES_BYTES);
        if (piece == NULL) {
            return NULL;
        }
        g_sites.frames = piece;
        g_sites.frames_left = FRAMES_BYTES;
    }
    void *copy = memcpy(g_sites.frames, frames, bytes);
    g_sites.frames += bytes;
    g_sites.frames_left -= bytes;
    return copy;
}

// The number of a new site; 0: no room.
static uint32_t add_site(const void *const *frames, unsigned count)
{
    uint32_t number = sites_count();
    ASSERT(number <= SITES_MAX);
    ASSERT(count <= UINT16_MAX);
    struct site **piece = &g_sites.pieces[number / SITES_A_PIECE % PIECES];
    if (number == SITES_MAX) {
        return 0;
    }
    if (*piece == NULL) {
        *piece = meta_alloc(SITES_A_PIECE * sizeof **piece);
    }
    const void **copy = *piece != NULL ? copy_frames(frames, count) : NULL;
    if (copy == NULL) {
        return 0;
    }
    struct site *site = at(number);
    site->frames = copy;
    site->frame_count = (uint16_t)count;
    site->peak_number = g_sites.peak_number;
    // release: whoever sees the number sees the site
    atomic_store_explicit(&g_sites.count, number + 1, memory_order_release);
    return number;
}

static void forget_counts(void)
{
    for (uint32_t i = 0; i < sites_count(); i++) {
        struct site *site = at(i);
        site->live = site->total = (struct site_count){.blocks = 0};
        site->peak_blocks = site->peak_bytes = 0;
        site->peak_number = 0;
    }
    g_sites.peak_number = 0;
    g_sites.live_bytes = g_sites.peak_bytes = 0;
}

bool sites_start(void)
{
    if (g_sites.buckets != NULL) {
        forget_counts();
        return true;
    }
    const void *none = NULL;
    uint32_t *buckets = os_map(NULL, align_up(BUCKETS * sizeof *buckets, os_page_bytes()));
    if (buckets == NULL) {
        return false;
    }
    add_site(&none, 0); // number 0
    if (sites_count() == 0) {
        os_unmap(buckets, align_up(BUCKETS * sizeof *buckets, os_page_bytes()));
        return false;
    }
    ASSERT(sites_count() == 1);
    g_sites.buckets = buckets;
    return true;
}

uint32_t sites_find(const void *const *frames, unsigned count)
{
    ASSERT(g_sites.buckets != NULL);
    uint32_t *bucket = &g_sites.buckets[bucket_of(frames, count)];
    for (uint32_t number = *bucket; number != 0; number = at(number)->next) {
        const struct site *site = at(number);
        if (site->frame_count == count &&
            memcmp(site->frames, frames, count * sizeof *frames) == 0) {
            return number;
        }
    }
    uint32_t number = add_site(frames, count);
    ASSERT(number < sites_count());
    if (number != 0) {
        at(number)->next = *bucket;
        *bucket = number;
    }
    return number;
}

// ---- counting ----

// Before a change of `live`: saves its value at the peak.
static void settle(struct site *site)
{
    if (site->peak_number != g_sites.peak_number) {
        site->peak_number = g_sites.peak_number;
        site->peak_blocks = site->live.blocks;
        site->peak_bytes = site->live.bytes;
    }
}

static void sum_up(struct site *site, double change)
{
    ASSERT(site->live.sampled_blocks != 0 || site->live.sampled_bytes == 0); // SITES-2
    if (site->live.sampled_blocks == 0) {                                    // SITES-2
        site->live = (struct site_count){.blocks = 0};
    }
    g_sites.live_bytes += change;
    if (g_sites.live_bytes > g_sites.peak_bytes) {
        g_sites.peak_bytes = g_sites.live_bytes;
        g_sites.peak_number++;
    }
}

static void add(struct site_count *count, uint64_t bytes, double chance, int sign)
{
    ASSERT(sign == 1 || sign == -1);
    ASSERT(sign > 0 || count->sampled_blocks != 0);
    ASSERT(chance > 0);
    ASSERT(chance <= 1);
    count->sampled_blocks += (uint64_t)(int64_t)sign;
    count->sampled_bytes += (uint64_t)sign * bytes;
    count->blocks += sign / chance;
    count->bytes += sign * ((double)bytes / chance);
}

void sites_add(uint32_t number, uint64_t bytes, double chance, int sign)
{
    ASSERT(number < sites_count());
    struct site *site = at(number);
    settle(site);
    add(&site->live, bytes, chance, sign);
    if (sign > 0) {
        add(&site->total, bytes, chance, sign);
    }
    sum_up(site, sign * ((double)bytes / chance));
}

void sites_resize(uint32_t number, uint64_t old_bytes, double old_chance, uint64_t bytes,
                  double chance)
{
    ASSERT(number < sites_count());
    struct site *site = at(number);
    settle(site);
    add(&site->live, old_bytes, old_chance, -1);
    add(&site->live, bytes, chance, 1);
    if (bytes > old_bytes) {
        add(&site->total, old_bytes, old_chance, -1);
        add(&site->total, bytes, chance, 1);
    }
    sum_up(site, (double)bytes / chance - (double)old_bytes / old_chance);
}

struct site_count sites_peak(const struct site *site)
{
    if (site->peak_number != g_sites.peak_number) {
        return site->live;
    }
    return (struct site_count){.blocks = site->peak_blocks, .bytes = site->peak_bytes};
}

struct site_count sites_live(void)
{
    struct site_count sum = {.blocks = 0};
    for (uint32_t i = 0; i < sites_count(); i++) {
        const struct site_count *live = &at(i)->live;
        sum.sampled_blocks += live->sampled_blocks;
        sum.sampled_bytes += live->sampled_bytes;
        sum.blocks += live->blocks;
        sum.bytes += live->bytes;
    }
    return sum;
}
