/* delete_type_size_mismatch.cc - frees an object as one of a larger type. */
#include "../misuse.h"

int main()
{
    struct small {
        char bytes[16];
    };
    struct large {
        char bytes[4096];
    };
    small *object = new small;
    delete reinterpret_cast<large *>(object);
    return not_caught();
}
