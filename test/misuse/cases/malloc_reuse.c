/* malloc_reuse.c - frees a block and gets the same address for the next one of its size. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    make_block(size);
    free(block);
    char *next = make_block(size);
    return next == block ? not_caught() : harmless();
}
