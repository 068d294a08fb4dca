/* zero_on_malloc.c - looks whether a new block still holds what a freed one held. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    make_block(size);
    free(block);
    char *next = malloc(size);
    return is_zero(next, size) ? harmless() : not_caught();
}
