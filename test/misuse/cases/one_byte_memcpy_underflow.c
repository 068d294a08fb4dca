/* one_byte_memcpy_underflow.c - copies one byte to right before the block, which is never freed. */
#include "../misuse.h"

static char g_source[1];

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    memset(g_source, PATTERN, sizeof g_source);
    memcpy(block - sizeof g_source, g_source, sizeof g_source);
    return not_caught();
}
