/* magazine.h - the most blocks that a magazine holds: a constant of its size class.
 *
 * The bound is in bytes, since a magazine moves as a whole: what one thread frees, another finds
 * still in the CPU's caches. Within limits: at least two blocks, and few enough to drain at once.
 */
#ifndef CORE_MAGAZINE_H
#define CORE_MAGAZINE_H

#include "core/size_class.h"

#define MAGAZINE_BYTES        (16UL * 1024)
#define MAGAZINE_BYTES_MEDIUM (32UL * 1024)
#define MAGAZINE_BYTES_LARGE  (128UL * 1024) // at least one block
#define MAGAZINE_BLOCKS_LEAST 2U
#define MAGAZINE_BLOCKS_MOST  (CONFIG_TINY ? 4U : 256U)
#define MAGAZINE_MEDIUM_MOST  (CONFIG_TINY ? 2U : 16U)

static inline unsigned magazine_blocks_max(unsigned sc)
{
    size_t bytes = size_class_bytes(sc);
    if (size_class_is_small(sc)) {
        return (unsigned)min_size(MAGAZINE_BYTES / bytes, MAGAZINE_BLOCKS_MOST);
    }
    if (sc >= MEDIUM_END) {
        return (unsigned)max_size(MAGAZINE_BYTES_LARGE / bytes, 1);
    }
    return (unsigned)clamp_size(MAGAZINE_BYTES_MEDIUM / bytes, MAGAZINE_BLOCKS_LEAST,
                                MAGAZINE_MEDIUM_MOST);
}

#endif
