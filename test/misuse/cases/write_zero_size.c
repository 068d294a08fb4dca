/* write_zero_size.c - writes the first byte of a block of 0 bytes, beside a block of the size. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    char *empty = malloc(0);
    *(volatile char *)empty = PATTERN;
    free(empty);
    free(block);
    return not_caught();
}
