/* double_free.c - frees a block twice in a row. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    free(block);
    free(block);
    return not_caught();
}
