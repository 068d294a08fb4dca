/* impossibly_large_malloc.c - asks for nearly all of the address space. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    void *block = malloc((size_t)0 - size);
    return block == NULL ? harmless() : not_caught();
}
