/* basin.c - the pools of include/myalloc.h: trays of cells or of pieces.
 *
 * Owns:       all basins; a basin owns its trays.
 * Threads:    any, where a basin is shared.
 * Locks:      LOCK_BASINS for the list of basins; LOCK_BASIN, one a shared basin, around
 *             the page heap only in a reset. In a fork both are taken: the child finds basins
 *             whole.
 * Invariants: BASIN-1  held_bytes are those of all trays; used_bytes those of blocks in use.
 *             BASIN-2  trays of cells with room stand before those without.
 *             BASIN-3  at most one tray without a block in use is kept, but after a reset.
 */
#include "pool/basin.h"

#include "base/meta_alloc.h"

#include <string.h>

#define CELLS_MIN    8             // in a tray, where cells are no longer than SINGLE_BYTES
#define SINGLE_BYTES (64UL * 1024) // a longer block of a basin of any size has a tray of its own
#define HELD_SHIFT   2             // the next tray is a quarter of all before

static_assert((TRAY_CHUNKS - 1) * CHUNK_BYTES >= SINGLE_BYTES, "a new tray has the piece");

static struct {
    struct lock lock;
    _Atomic(struct basin *) first; // [atomic] all basins; written under LOCK_BASINS
    struct basin *unused;          // [lock: LOCK_BASINS]
} g_basins = {.lock = LOCK_INIT(LOCK_BASINS)};

static void basin_lock(struct basin *basin) UNCHECKED_LOCKS
{
    if (basin->is_shared) {
        lock_acquire(&basin->lock);
    }
}

static void basin_unlock(struct basin *basin) UNCHECKED_LOCKS
{
    if (basin->is_shared) {
        lock_release(&basin->lock);
    }
}

// ---- trays ----

static void links_insert(struct links *before, struct links *links)
{
    links->prev = before;
    links->next = before->next;
    links->next->prev = links;
    before->next = links;
}

static void links_remove(struct links *links)
{
    links->prev->next = links->next;
    links->next->prev = links->prev;
}

// BASIN-2: after the first block of a full tray came back, or the last one was taken.
static void tray_move(struct basin *basin, struct tray *tray)
{
    bool has_room = tray->used < tray->units;
    links_remove(&tray->links);
    links_insert(has_room ? &basin->trays : basin->trays.prev, &tray->links);
}

// Takes an empty tray out of the basin.
static void tray_unlink(struct basin *basin, struct tray *tray)
{
    ASSERT(tray->used == 0);
    links_remove(&tray->links);
    tray->basin = NULL;
    basin->held_bytes -= tray_bytes(tray);
    basin->empties--;
    if (tray->has_pieces) {
        piece_forget(&basin->bins, tray);
    }
}

// ---- blocks ----

static size_t rounded(const struct basin *basin, size_t bytes)
{
    return basin->cell_bytes != 0 ? basin->cell_bytes
                                  : align_up(max_size(bytes, 1), PIECE_UNIT_BYTES);
}

static bool is_piece(const struct basin *basin, size_t bytes)
{
    return basin->cell_bytes == 0 && bytes <= SINGLE_BYTES;
}

static void note_taken(struct basin *basin, struct tray *tray, size_t bytes)
{
    basin->empties -= tray->used == 1;
    if (tray->used == tray->units) {
        tray_move(basin, tray);
    }
    basin->used_bytes += bytes; // BASIN-1
    basin->used_bytes_max = max_size(basin->used_bytes_max, basin->used_bytes);
}

// From the trays that there are; `bytes` are rounded.
static void *take_locked(struct basin *basin, size_t bytes)
{
    void *ptr = NULL;
    struct tray *tray = (struct tray *)basin->trays.next;
    if (is_piece(basin, bytes)) {
        ptr = piece_take(&basin->bins, bytes / PIECE_UNIT_BYTES, &tray);
    } else if (&tray->links != &basin->trays && tray->used < tray->units &&
               tray->unit_bytes == bytes) { // BASIN-2
        ptr = cell_take(tray);
    }
    if (ptr != NULL) {
        note_taken(basin, tray, bytes);
    }
    return ptr;
}

void *basin_take(struct basin *basin, size_t bytes)
{
    basin_lock(basin);
    void *ptr = take_locked(basin, rounded(basin, bytes));
    basin_unlock(basin);
    return ptr;
}

// Chunks that a new tray should have: few at first, more as the basin grows.
static size_t wish(struct basin *basin)
{
    basin_lock(basin);
    size_t chunks = basin->held_bytes >> (CHUNK_SHIFT + HELD_SHIFT);
    basin_unlock(basin);
    return clamp_size(chunks, TRAY_CHUNKS, TRAY_CHUNKS_MAX);
}

void *basin_take_anew(struct basin *basin, size_t bytes)
{
    bytes = rounded(basin, bytes);
    bool has_pieces = is_piece(basin, bytes);
    bool is_single = !has_pieces && basin->cell_bytes == 0;
    size_t least = bytes <= SINGLE_BYTES ? CELLS_MIN : 1;
    struct tray *tray = tray_take(has_pieces ? PIECE_UNIT_BYTES : bytes, least,
                                  is_single ? 1 : wish(basin), has_pieces);
    if (tray == NULL) {
        return NULL;
    }
    tray->basin = basin;
    tray->is_single = is_single;
    basin_lock(basin);
    void *ptr = take_locked(basin, bytes);
    bool is_needed = ptr == NULL; // else others gave room meanwhile
    if (is_needed) {
        links_insert(&basin->trays, &tray->links);
        basin->held_bytes += tray_bytes(tray);
        basin->empties++;
        tray_reset(tray, &basin->bins);
        ptr = take_locked(basin, bytes);
    }
    basin_unlock(basin);
    if (!is_needed) {
        tray_give(tray);
    }
    return ptr;
}

// The tray, out of the basin, when it is to go back.
static struct tray *note_given(struct basin *basin, struct tray *tray, size_t bytes)
{
    basin->used_bytes -= bytes; // BASIN-1
    if (tray->used + 1 == tray->units) {
        tray_move(basin, tray);
    }
    if (tray->used != 0 || (basin->empties++ == 0 && !tray->is_single)) {
        return NULL;
    }
    tray_unlink(basin, tray); // BASIN-3
    return tray;
}

enum tray_fault basin_give(struct basin *basin, void *ptr, size_t *bytes, struct tray **idle)
{
    enum tray_fault fault = TRAY_FOREIGN;
    *idle = NULL;
    basin_lock(basin);
    struct tray *tray = tray_of(ptr);
    if (tray != NULL && tray->basin == basin) {
        fault = tray->has_pieces ? piece_give(&basin->bins, tray, ptr, bytes)
                                 : cell_give(tray, ptr, bytes);
        if (fault == TRAY_OK) {
            *idle = note_given(basin, tray, *bytes);
        }
    }
    basin_unlock(basin);
    return fault;
}

// Every tray as at first, but for those of single blocks; `keeps` false: no tray at all.
static void empty(struct basin *basin, bool keeps)
{
    struct links *next;
    basin_lock(basin);
    memset(&basin->bins, 0, sizeof basin->bins);
    basin->used_bytes = 0;
    basin->empties = 0;
    basin->is_alive = keeps;
    for (struct links *at = basin->trays.next; at != &basin->trays; at = next) {
        struct tray *tray = (struct tray *)at;
        next = at->next;
        tray_reset(tray, &basin->bins);
        basin->empties++;
        if (!keeps || tray->is_single) {
            tray_unlink(basin, tray);
            tray_give(tray);
        }
    }
    basin_unlock(basin);
}

void basin_reset(struct basin *basin)
{
    empty(basin, true);
}

// ---- basins ----

struct basin *basin_create(size_t cell_bytes, bool is_shared)
{
    lock_acquire(&g_basins.lock);
    struct basin *basin = g_basins.unused;
    if (basin != NULL) {
        g_basins.unused = basin->next_unused;
    } else {
        basin = meta_alloc(sizeof *basin);
        if (basin != NULL) {
            lock_init(&basin->lock, LOCK_BASIN);
            basin->next = atomic_load_explicit(&g_basins.first, memory_order_relaxed);
            atomic_store_explicit(&g_basins.first, basin, memory_order_relaxed);
        }
    }
    if (basin != NULL) {
        basin->is_shared = is_shared;
        basin->is_alive = true;
        basin->cell_bytes = align_up(cell_bytes, PIECE_UNIT_BYTES);
        basin->trays = (struct links){&basin->trays, &basin->trays};
        basin->used_bytes_max = 0;
    }
    lock_release(&g_basins.lock);
    return basin;
}

void basin_destroy(struct basin *basin)
{
    empty(basin, false);
    lock_acquire(&g_basins.lock);
    basin->next_unused = g_basins.unused;
    g_basins.unused = basin;
    lock_release(&g_basins.lock);
}

static void count_pieces(const struct piece_bins *bins, struct myalloc_pool_stats *stats)
{
    for (size_t bin = 0; bin < PIECE_BINS; bin++) {
        for (const struct piece *piece = bins->heads[bin]; piece != NULL; piece = piece->next) {
            size_t bytes = piece_units(piece, bin) * PIECE_UNIT_BYTES;
            stats->free_pieces++;
            stats->longest_free = max_size(stats->longest_free, bytes);
        }
    }
}

void basin_stats(struct basin *basin, struct myalloc_pool_stats *stats)
{
    basin_lock(basin);
    *stats = (struct myalloc_pool_stats){
        .block_bytes = basin->cell_bytes,
        .used = basin->used_bytes,
        .used_peak = basin->used_bytes_max,
        .held = basin->held_bytes,
    };
    for (const struct links *at = basin->trays.next; at != &basin->trays; at = at->next) {
        const struct tray *tray = (const struct tray *)at;
        stats->trays++;
        stats->blocks += tray->used;
        if (basin->cell_bytes != 0 && tray->used < tray->units) {
            stats->free_pieces += tray->units - tray->used;
            stats->longest_free = basin->cell_bytes;
        }
    }
    count_pieces(&basin->bins, stats);
    basin_unlock(basin);
}

// ---- fork ----

static struct basin *first_basin(void)
{
    return atomic_load_explicit(&g_basins.first, memory_order_relaxed);
}

void basin_prefork(void)
{
    if (!lock_acquire_for_fork(&g_basins.lock)) {
        return; // a signal handler forks; somebody may be changing the list
    }
    for (struct basin *basin = first_basin(); basin != NULL; basin = basin->next) {
        lock_acquire_for_fork(&basin->lock);
    }
}

void basin_postfork_parent(void)
{
    if (!lock_is_held_for_fork(&g_basins.lock)) {
        return;
    }
    for (struct basin *basin = first_basin(); basin != NULL; basin = basin->next) {
        lock_release_after_fork(&basin->lock);
    }
    lock_release_after_fork(&g_basins.lock);
}

void basin_postfork_child(void)
{
    for (struct basin *basin = first_basin(); basin != NULL; basin = basin->next) {
        lock_init(&basin->lock, LOCK_BASIN);
    }
    lock_init(&g_basins.lock, LOCK_BASINS);
}
