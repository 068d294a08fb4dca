/* malloc_reuse_downsize.c - frees a block and gets the same address for a smaller one. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    make_block(size);
    free(block);
    char *next = make_block(size / 2);
    return next == block ? not_caught() : harmless();
}
