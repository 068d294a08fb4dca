/* sites.h - who allocates: a table of stacks with what each holds, held at the peak, and allocated
 * in all. For the holder of LOCK_PROFILE, unless said otherwise. */
#ifndef PROFILE_SITES_H
#define PROFILE_SITES_H

#include <stdbool.h>
#include <stdint.h>

// Of the samples as they are, and scaled: of all blocks that they stand for.
struct site_count {
    uint64_t sampled_blocks, sampled_bytes;
    double blocks, bytes;
};

struct site {
    uint32_t next;             // of those with the same hash; 0: none
    uint16_t frame_count;      // 0: all that found no room in the table
    uint16_t peak_number;      // which peak `peak` is of; see sites_add
    const void *const *frames; // return addresses, the innermost first
    struct site_count live, total;
    double peak_blocks, peak_bytes;
};

#define SITES_MAX 65536U

// Makes the table; false without memory. Again: empties the counts.
bool sites_start(void);

// The number of the site with this stack: 0 for all that found no room.
uint32_t sites_find(const void *const *frames, unsigned count);

// A change of one sample: `sign` 1: it came, -1: it went. `chance`: that of a block to be sampled.
void sites_add(uint32_t number, uint64_t bytes, double chance, int sign);
// A sample grew or shrank.
void sites_resize(uint32_t number, uint64_t old_bytes, double old_chance, uint64_t bytes,
                  double chance);

// Any thread: the site with this number, 0 to sites_count() - 1.
const struct site *sites_at(uint32_t number);
uint32_t sites_count(void);
// What a site held when the sum of all was highest.
struct site_count sites_peak(const struct site *site);
// The sum over all sites.
struct site_count sites_live(void);

#endif
