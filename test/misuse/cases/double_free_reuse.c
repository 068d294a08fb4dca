/* double_free_reuse.c - frees a block twice, the second time when another block may stand there.
 *
 * The second free then takes that block from its user, whose own free is the third one. */
#include "../misuse.h"

int main(int argc, char **argv)
{
    size_t size = case_size(argc, argv);
    char *block = make_block(size);
    free(block);
    char *reused = make_block(size);
    free(block);
    free(reused);
    return not_caught();
}
