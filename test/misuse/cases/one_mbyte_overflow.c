/* one_mbyte_overflow.c - writes the byte 1 MiB behind the block, then frees it. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    block[size + MEGABYTE - 1] = PATTERN;
    free(block);
    return not_caught();
}
