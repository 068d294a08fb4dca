/* executable_heap.c - calls code that it wrote into a block. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    unsigned char *block = (unsigned char *)make_block(size);
    block[0] = 0xc3; // ret
    ((void (*)(void))(void *)block)();
    return not_caught();
}
