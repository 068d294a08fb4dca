/* invalid_free_unaligned_multiple.c - frees a block by each of the odd addresses of its beginning.
 */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    for (int i = 1; i < 16; i += 2) {
        free(block + i);
    }
    return not_caught();
}
