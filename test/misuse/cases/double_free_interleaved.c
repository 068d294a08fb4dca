/* double_free_interleaved.c - frees a block, another one, and the first one again. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    char *other = make_block(size);
    free(block);
    free(other);
    free(block);
    return not_caught();
}
