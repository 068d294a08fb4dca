/* zero_on_malloc.c - looks whether any of 4,096 new blocks holds what freed ones held; of long ones
 * so many as fit into 64 MiB. */
#include "../misuse.h"

enum { BLOCKS = 4096, BYTES_MAX = 64 * MEGABYTE };

int main(int argc, char **argv)
{
    static char *blocks[BLOCKS];
    size_t size = case_size(argc, argv);
    size_t count = size * BLOCKS > BYTES_MAX ? BYTES_MAX / size : BLOCKS;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = make_block(size);
    }
    for (size_t i = 0; i < count; i++) {
        free(blocks[i]);
    }
    for (size_t i = 0; i < count; i++) {
        char *next = malloc(size);
        if (!is_zero(next, size)) {
            return not_caught();
        }
    }
    return harmless();
}
