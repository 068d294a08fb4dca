/* invalid_array_delete_string.cc - frees with delete[] what new made.
 *
 * What lies before the object is taken for the count of the objects. */
#include <string>

#include "../misuse.h"

int main()
{
    std::string *one = new std::string("text");
    delete[] one;
    return not_caught();
}
