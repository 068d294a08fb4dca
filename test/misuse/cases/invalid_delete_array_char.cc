/* invalid_delete_array_char.cc - frees with delete what new[] made, of a plain type. */
#include "../misuse.h"

int main()
{
    char *all = new char[16];
    delete all;
    return not_caught();
}
