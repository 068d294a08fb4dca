/* double_free_single_reuse.c - frees two blocks, allocates one again, and frees the first one
 * again. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    char *other = make_block(size);
    free(block);
    free(other);
    other = make_block(size);
    free(block);
    return not_caught();
}
