/* size_class.c - the tables of the size classes, all computed by the compiler.
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

// The same for every medium class, with the chunks of a slab: of 56 to 4 blocks.
#define MEDIUM_TABLE(UP_TO)                                                                        \
    UP_TO(32, 1024, 1152, 4)   UP_TO(33, 1152, 1280, 4)   UP_TO(34, 1280, 1408, 4)                 \
    UP_TO(35, 1408, 1536, 4)   UP_TO(36, 1536, 1664, 4)   UP_TO(37, 1664, 1792, 4)                 \
    UP_TO(38, 1792, 1920, 4)   UP_TO(39, 1920, 2048, 4)   UP_TO(40, 2048, 2304, 4)                 \
    UP_TO(41, 2304, 2560, 4)   UP_TO(42, 2560, 2816, 4)   UP_TO(43, 2816, 3072, 4)                 \
    UP_TO(44, 3072, 3328, 4)   UP_TO(45, 3328, 3584, 4)   UP_TO(46, 3584, 3840, 4)                 \
    UP_TO(47, 3840, 4096, 4)   UP_TO(48, 4096, PAGE_AND_HEADER_BYTES, 4)                           \
    UP_TO(49, PAGE_AND_HEADER_BYTES, 5120, 4)             UP_TO(50, 5120, 6144, 4)                 \
    UP_TO(51, 6144, 7168, 4)   UP_TO(52, 7168, 8192, 4)   UP_TO(53, 8192, 10240, 4)                \
    UP_TO(54, 10240, 12288, 4) UP_TO(55, 12288, 14336, 4) UP_TO(56, 14336, 16384, 4)               \
    UP_TO(57, 16384, 20480, 8) UP_TO(58, 20480, 24576, 8) UP_TO(59, 24576, 28672, 8)               \
    UP_TO(60, 28672, 32768, 8)

#define CLASS_OF_UNITS(sc, below, bytes, chunks)                                                   \
    [(below) >> MEDIUM_UNIT_SHIFT ... ((bytes) >> MEDIUM_UNIT_SHIFT) - 1] = (sc),

const uint8_t g_medium_class_of[MEDIUM_BYTES_MAX >> MEDIUM_UNIT_SHIFT] = {
    MEDIUM_TABLE(CLASS_OF_UNITS)
};

#define RECIPROCAL(bytes) (((1ULL << 40) + (bytes) - 1) / (bytes))
#define SIZE_CLASS(bytes, chunks)                                                                \
    {(bytes), (chunks), (uint16_t)((chunks) * CHUNK_BYTES / (bytes)), RECIPROCAL(bytes)}
// Large classes: one block per slab, or two where a block ends in the middle of a chunk.
#define SINGLE_CLASS(chunks)             SIZE_CLASS((chunks) * CHUNK_BYTES, chunks)
#define PAIR_CLASS(chunks)               SIZE_CLASS((chunks) * CHUNK_BYTES / 2, chunks)
#define SMALL_CLASS(sc, below, bytes) [sc] = SIZE_CLASS(bytes, 1),

#define MEDIUM_CLASS(sc, below, bytes, chunks) [sc] = SIZE_CLASS(bytes, chunks),

const struct size_class g_size_classes[CLASSES] = {
    SMALL_TABLE(SMALL_CLASS)                         // 1 chunk: tail waste below 4 %
    MEDIUM_TABLE(MEDIUM_CLASS)
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
