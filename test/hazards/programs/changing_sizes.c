/* changing_sizes.c MEGABYTES - keeps so much memory in use while the sizes of its blocks change,
 * from small to huge and back; exits 0. */
#include <stdlib.h>
#include <string.h>

enum { BLOCKS_MAX = 1 << 20, TURNS = 3 };

static struct {
    char *at;
    size_t bytes;
} g_blocks[BLOCKS_MAX];

int main(int argc, char **argv)
{
    static const size_t sizes[] = {300, 900, 6000, 40000, 300000, 2000000};
    size_t wanted = argc > 1 ? strtoul(argv[1], NULL, 10) * 1000000 : 0;
    size_t used = 0, first = 0, last = 0;
    for (size_t turn = 0; turn < TURNS * sizeof sizes / sizeof sizes[0]; turn++) {
        size_t bytes = sizes[turn % (sizeof sizes / sizeof sizes[0])];
        for (size_t made = 0; made < wanted; made += bytes) {
            while (used + bytes > wanted) { // the oldest go
                free(g_blocks[first].at);
                used -= g_blocks[first].bytes;
                first = (first + 1) % BLOCKS_MAX;
            }
            g_blocks[last].at = malloc(bytes);
            if (g_blocks[last].at == NULL) {
                return 1;
            }
            memset(g_blocks[last].at, 1, bytes);
            g_blocks[last].bytes = bytes;
            used += bytes;
            last = (last + 1) % BLOCKS_MAX;
        }
    }
    return 0;
}
