/* one_byte_overflow.c - writes the first byte behind the block, then frees it. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    block[size] = PATTERN;
    free(block);
    return not_caught();
}
