/* invalid_free_close.c - frees the second half of a block, or what lies right behind a small one.
 */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    size_t half = size / 2 < 16 ? 16 : size / 2 / 16 * 16;
    free(block + half);
    return not_caught();
}
