/* write_zero_size_free.c - writes the first byte of a block of 0 bytes after its free. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    char *empty = malloc(0);
    free(empty);
    *(volatile char *)empty = PATTERN;
    free(block);
    return not_caught();
}
