/* double_free_delayed.c - frees a block, many others of its size, and the first one again. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    char *others[OTHERS];
    for (int i = 0; i < OTHERS; i++) {
        others[i] = make_block(size);
    }
    free(block);
    for (int i = 0; i < OTHERS; i++) {
        free(others[i]);
    }
    free(block);
    return not_caught();
}
