/* sites.h - allocation sites: a table of stacks with what each has in use, had in use at the peak,
 * and allocated in all. For the holder of LOCK_PROFILE unless stated otherwise. */
#ifndef PROFILE_SITES_H
#define PROFILE_SITES_H

#include <stdbool.h>
#include <stdint.h>

// Raw samples, and the estimates for all blocks that they represent.
struct site_count {
    uint64_t sampled_blocks, sampled_bytes;
    double blocks, bytes;
};

struct site {
    uint32_t next;             // site with the same hash; 0: none
    uint16_t frame_count;      // 0: the site of all stacks that found no room in the table
    uint16_t peak_number;      // of which peak peak_blocks and peak_bytes are; see sites_add
    const void *const *frames; // return addresses, innermost first
    struct site_count live, total;
    double peak_blocks, peak_bytes;
};

#define SITES_MAX 65536U

// Creates the table; false when out of memory. When called again: resets the counts.
bool sites_start(void);

// The number of the site with this stack: 0 for all stacks that found no room.
uint32_t sites_find(const void *const *frames, unsigned count);

// Adds (`sign` 1) or removes (-1) one sample. `chance`: that such a block is sampled.
void sites_add(uint32_t number, uint64_t bytes, double chance, int sign);
// Changes the size of one sample.
void sites_resize(uint32_t number, uint64_t old_bytes, double old_chance, uint64_t bytes,
                  double chance);

// Any thread: the site with this number, 0 to sites_count() - 1.
const struct site *sites_at(uint32_t number);
uint32_t sites_count(void);
// What a site had in use when the sum of all was highest.
struct site_count sites_peak(const struct site *site);
// The sum over all sites.
struct site_count sites_live(void);

#endif
