/* invalid_free.c - frees an address that was never mapped. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    free(make_block(size));
    free((void *)0x10); // NOLINT: the misuse
    return not_caught();
}
