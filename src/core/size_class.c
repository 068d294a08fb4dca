/* size_class.c - the tables of the size classes. The compiler computes two of the three.
 *
 * Owns:       g_small_class_of, g_medium_class_of, g_size_classes; constant.
 * Threads:    any.
 * Locks:      none.
 * Invariants: CLASS-1  block bytes rise with the class and are multiples of 16.
 *             CLASS-2  a slab has at most SMALL_BLOCKS_MAX or MEDIUM_BLOCKS_MAX blocks, or one.
 *             CLASS-3  if a small request is a multiple of a power of two, so is the block size of
 *                      its class.
 */
#include "core/size_class.h"

// clang-format off
// UP_TO(class, bytes of the class below, bytes): every small class, in order.
#define SMALL_TABLE(UP_TO)                                                                         \
    UP_TO(0, 0, 16)     UP_TO(1, 16, 32)    UP_TO(2, 32, 48)    UP_TO(3, 48, 64)                   \
    UP_TO(4, 64, 80)    UP_TO(5, 80, 96)    UP_TO(6, 96, 112)   UP_TO(7, 112, 128)                 \
    UP_TO(8, 128, 144)  UP_TO(9, 144, 160)  UP_TO(10, 160, 176) UP_TO(11, 176, 192)                \
    UP_TO(12, 192, 208) UP_TO(13, 208, 224) UP_TO(14, 224, 240) UP_TO(15, 240, 256)                \
    UP_TO(16, 256, 288) UP_TO(17, 288, 320) UP_TO(18, 320, 352) UP_TO(19, 352, 384)                \
    UP_TO(20, 384, 416) UP_TO(21, 416, 448) UP_TO(22, 448, 480) UP_TO(23, 480, 512)                \
    UP_TO(24, 512, 576) UP_TO(25, 576, 640) UP_TO(26, 640, 704) UP_TO(27, 704, 768)                \
    UP_TO(28, 768, 832) UP_TO(29, 832, 896) UP_TO(30, 896, 960) UP_TO(31, 960, 1024)

#define CLASS_OF_RANGE(sc, below, bytes) [(below) + 1 ... (bytes)] = (sc),

const uint8_t g_small_class_of[SMALL_BYTES_MAX + 1] = {
    [0] = 0, // malloc(0): a block of its own
    SMALL_TABLE(CLASS_OF_RANGE)
};

// Up to 2 KiB a unit a class, up to 4 KiB two; then 4608 bytes, and quarters of a doubling.
const uint8_t g_medium_class_of[MEDIUM_BYTES_MAX >> MEDIUM_UNIT_SHIFT] = {
    [8] = 32,  [9] = 33,  [10] = 34, [11] = 35, [12] = 36, [13] = 37, [14] = 38, [15] = 39,
    [16 ... 17] = 40,   [18 ... 19] = 41,   [20 ... 21] = 42,   [22 ... 23] = 43,
    [24 ... 25] = 44,   [26 ... 27] = 45,   [28 ... 29] = 46,   [30 ... 31] = 47,
    [32 ... 35] = 48,   [36 ... 39] = 49,   [40 ... 47] = 50,   [48 ... 55] = 51,
    [56 ... 63] = 52,   [64 ... 79] = 53,   [80 ... 95] = 54,   [96 ... 111] = 55,
    [112 ... 127] = 56, [128 ... 159] = 57, [160 ... 191] = 58, [192 ... 223] = 59,
    [224 ... 255] = 60,
};

#define RECIPROCAL(bytes) (((1ULL << 40) + (bytes) - 1) / (bytes))
#define SIZE_CLASS(bytes, chunks)                                                                \
    {(bytes), (chunks), (uint16_t)((chunks) * CHUNK_BYTES / (bytes)), RECIPROCAL(bytes)}
// Large classes: one block per slab, or two where a block ends in the middle of a chunk.
#define SINGLE_CLASS(chunks)             SIZE_CLASS((chunks) * CHUNK_BYTES, chunks)
#define PAIR_CLASS(chunks)               SIZE_CLASS((chunks) * CHUNK_BYTES / 2, chunks)
#define SMALL_CLASS(sc, below, bytes) [sc] = SIZE_CLASS(bytes, 1),

// Medium classes between 2^shift and twice that: eight, or four where a block is whole pages.
#define MEDIUM_CLASS(shift, eighths, chunks) SIZE_CLASS((eighths##U << ((shift) - 3)), chunks)
#define MEDIUM_QUARTERS(shift, chunks)                                                           \
    MEDIUM_CLASS(shift, 10, chunks), MEDIUM_CLASS(shift, 12, chunks),                          \
    MEDIUM_CLASS(shift, 14, chunks), MEDIUM_CLASS(shift, 16, chunks)
#define MEDIUM_EIGHTHS(shift, chunks)                                                            \
    MEDIUM_CLASS(shift, 9, chunks),  MEDIUM_CLASS(shift, 10, chunks),                          \
    MEDIUM_CLASS(shift, 11, chunks), MEDIUM_CLASS(shift, 12, chunks),                          \
    MEDIUM_CLASS(shift, 13, chunks), MEDIUM_CLASS(shift, 14, chunks),                          \
    MEDIUM_CLASS(shift, 15, chunks), MEDIUM_CLASS(shift, 16, chunks)

const struct size_class g_size_classes[CLASSES] = {
    SMALL_TABLE(SMALL_CLASS)                         // 1 chunk: tail waste below 4 %
    MEDIUM_EIGHTHS(10, 4), MEDIUM_EIGHTHS(11, 4),    // 56 to 16 blocks
    SIZE_CLASS(PAGE_AND_HEADER_BYTES, 4),            // 14
    MEDIUM_QUARTERS(12, 4), MEDIUM_QUARTERS(13, 4),  // 12 to 4
    MEDIUM_QUARTERS(14, 8),                          // 6 to 4
    PAIR_CLASS(5),    SINGLE_CLASS(3),  PAIR_CLASS(7),    SINGLE_CLASS(4),  SINGLE_CLASS(5),
    SINGLE_CLASS(6),  SINGLE_CLASS(7),  SINGLE_CLASS(8),  SINGLE_CLASS(9),  SINGLE_CLASS(10),
    SINGLE_CLASS(11), SINGLE_CLASS(12), SINGLE_CLASS(13), SINGLE_CLASS(14), SINGLE_CLASS(15),
    SINGLE_CLASS(16),
};
// clang-format on

static_assert(4 * CHUNK_BYTES / (9U << 7) <= MEDIUM_BLOCKS_MAX, "CLASS-2");

unsigned size_class_of_aligned(size_t bytes, size_t alignment)
{
    ASSERT(is_pow2(alignment));
    if (alignment > CHUNK_BYTES || bytes > SLAB_BYTES_MAX) {
        return CLASSES;
    }
    size_t rounded = align_up(max_size(bytes, 1), alignment);
    if (rounded > SLAB_BYTES_MAX) {
        return CLASSES;
    }
    unsigned sc = size_class_of(rounded);
    while (sc < CLASSES && size_class_bytes(sc) % alignment != 0) {
        sc++;
    }
    return sc;
}
