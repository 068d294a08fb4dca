/* realloc_reuse.c - has a block shrunk by a byte, and goes on with the old pointer. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    char *next = realloc(block, size - 1);
    return next == block ? not_caught() : harmless();
}
