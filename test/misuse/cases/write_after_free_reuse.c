/* write_after_free_reuse.c - writes to a block after its free, and finds what it wrote in the next
 * one. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    make_block(size);
    free(block);
    memset(block, PATTERN, size);
    char *next = malloc(size);
    return has_pattern(next, size) ? not_caught() : harmless();
}
