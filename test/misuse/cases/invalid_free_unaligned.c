/* invalid_free_unaligned.c - frees a block by an address one byte into it. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    free(block + 1);
    return not_caught();
}
