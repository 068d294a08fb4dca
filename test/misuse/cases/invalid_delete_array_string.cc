/* invalid_delete_array_string.cc - frees with delete what new[] made.
 *
 * The allocator is given the address behind the count of the objects. */
#include <string>

#include "../misuse.h"

int main()
{
    std::string *all = new std::string[4];
    delete all;
    return not_caught();
}
