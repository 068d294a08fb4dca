/* 32_byte_memcpy_overflow.c - copies 32 bytes to right behind the block, which is never freed. */
#include "../misuse.h"

static char g_source[32];

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    memset(g_source, PATTERN, sizeof g_source);
    memcpy(block + size, g_source, sizeof g_source);
    return not_caught();
}
