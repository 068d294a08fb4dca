/* zero_after_free.c - looks through the old pointer whether a freed block was made zero. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    make_block(size);
    free(block);
    return is_zero(block, size) ? harmless() : not_caught();
}
