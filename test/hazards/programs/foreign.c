/* foreign.c KIND OPERATION - hands the allocator a pointer that it never returned.
 * Exits 0 when the program could go on. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

extern void *__libc_malloc(size_t bytes);

static void *foreign_pointer(const char *kind)
{
    if (strcmp(kind, "libc") == 0) {
        return __libc_malloc(100);
    }
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    void *volatile ptr = foreign_pointer(argv[1]);
    if (strcmp(argv[2], "free") == 0) {
        for (int i = 0; i < 3; i++) {
            free(ptr);
        }
    } else if (strcmp(argv[2], "forwarded") == 0) {
        free(ptr);
    } else if (strcmp(argv[2], "realloc") == 0) {
        errno = 0;
        if (realloc(ptr, 200) != NULL || errno != ENOMEM) {
            return 3;
        }
    } else if (malloc_usable_size(ptr) != 0) {
        return 4;
    }
    void *block = malloc(1000);
    free(block);
    return block == NULL;
}
