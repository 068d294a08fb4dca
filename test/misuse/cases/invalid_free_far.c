/* invalid_free_far.c - frees an address 64 MiB behind a block. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    free(block + 64L * MEGABYTE);
    return not_caught();
}
