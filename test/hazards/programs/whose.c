/* whose.c - exits 0 when every function of the family gives blocks of libc's own heap.
 *
 * libc's mallinfo2 cannot be asked, its name may be ours; but a block that lies in libc's heap can
 * be freed by libc, and libc ends the program for any other.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

extern void __libc_free(void *ptr);
extern void *__libc_malloc(size_t bytes);

int main(void)
{
    static const size_t sizes[] = {24, 2000, 100000, 5000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t bytes = sizes[i];
        void *posix = NULL;
        if (posix_memalign(&posix, 64, bytes) != 0) {
            return 2;
        }
        void *blocks[] = {malloc(bytes),
                          calloc(1, bytes),
                          realloc(malloc(8), bytes),
                          memalign(128, bytes),
                          aligned_alloc(64, 6400),
                          valloc(bytes),
                          pvalloc(bytes),
                          reallocarray(NULL, 2, bytes),
                          posix};
        for (size_t j = 0; j < sizeof blocks / sizeof blocks[0]; j++) {
            __libc_free(blocks[j]);
        }
        free(__libc_malloc(bytes));
    }
    return malloc_trim(0) >= 0 && mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1 ? 0 : 1;
}
