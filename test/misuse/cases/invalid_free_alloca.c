/* invalid_free_alloca.c - frees memory that alloca gave. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *variable = __builtin_alloca(size);
    free(make_block(size));
    memset(variable, 0, size);
    free(variable);
    return not_caught();
}
