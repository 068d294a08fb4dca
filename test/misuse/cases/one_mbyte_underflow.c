/* one_mbyte_underflow.c - writes the byte 1 MiB before the block, then frees it. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    *(block - MEGABYTE) = PATTERN;
    free(block);
    return not_caught();
}
