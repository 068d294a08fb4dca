/* one_byte_underflow.c - writes the byte before the block, then frees it. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    *(block - 1) = PATTERN;
    free(block);
    return not_caught();
}
