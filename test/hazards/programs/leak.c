/* leak.c - loses one block of 123 bytes for a leak finder to find. */
#include <stdlib.h>

static void *volatile g_block;

int main(void)
{
    g_block = malloc(123);
    g_block = malloc(5000);
    free(g_block);
    g_block = NULL;
    return 0;
}
