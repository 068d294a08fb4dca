/* full_space.c BYTES OTHER_BYTES - fills a limited address space with blocks of one size, frees
 * half of them, and exits 0 when a block of the other size then fits. */
#include <stdlib.h>

enum { COUNT_MAX = 100000, LEAST_BYTES = 100 << 20 };

static char *g_blocks[COUNT_MAX];

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    size_t bytes = strtoul(argv[1], NULL, 10);
    size_t count = 0;
    while (count < COUNT_MAX && (g_blocks[count] = malloc(bytes)) != NULL) {
        count++;
    }
    if (count == COUNT_MAX || count * bytes < LEAST_BYTES) {
        return 3;
    }
    for (size_t i = count / 2; i < count; i++) {
        free(g_blocks[i]);
    }
    return malloc(strtoul(argv[2], NULL, 10)) == NULL;
}
