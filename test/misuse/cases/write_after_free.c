/* write_after_free.c - writes to a block after its free. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    free(block);
    memset(block, PATTERN, size);
    return not_caught();
}
