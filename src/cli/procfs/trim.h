/* trim.h - what malloc_trim would give back of slabs and free spans of another process. */
#ifndef CLI_PROCFS_TRIM_H
#define CLI_PROCFS_TRIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A slab as the page map tells of it. */
struct trim_slab {
    uint64_t start;       // [const] address
    uint64_t bytes;       // [const]
    uint64_t block_bytes; // [const] of one
    uint64_t reached;     // [const] blocks from here on were never made
    uint64_t free;        // [const] list word of the blocks that are home
    uint32_t purged;      // [const] bit set: page was purged
};

/* Lists of free blocks are followed in the memory of the process: `fd` is open for it, and an empty
 * list has the count `list_end`. */
struct trim *trim_open(int fd, uint16_t list_end);

/* A list in a cache; a slab, and free memory, in the order of the addresses. */
void trim_add_list(struct trim *trim, uint64_t list);
void trim_add_free(struct trim *trim, uint64_t start, uint64_t bytes);
void trim_add_slab(struct trim *trim, const struct trim_slab *slab);

/* Sum up the resident pages on which no block is in use; false: there is too much to look at. Frees
 * all in any case. */
bool trim_close(struct trim *trim, pid_t pid, uint64_t *bytes);

#endif
