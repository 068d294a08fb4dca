/* invalid_free_stack.c - frees a variable on the stack. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    _Alignas(16) char variable[32];
    free(make_block(size));
    memset(variable, 0, sizeof variable);
    free(variable);
    return not_caught();
}
