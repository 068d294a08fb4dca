/* invalid_array_delete_char.cc - frees with delete[] what new made, of a plain type. */
#include "../misuse.h"

int main()
{
    char *one = new char;
    delete[] one;
    return not_caught();
}
