/* threads.c - three threads, small stacks, blocks of several tiers; exits 0. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { STACK_BYTES = 256 * 1024 };

static void *allocate(void *failed)
{
    for (size_t i = 0; i < 2000; i++) {
        size_t bytes = i * 37 % 40000 + 1;
        char *block = malloc(bytes);
        if (block == NULL) {
            return failed;
        }
        memset(block, 1, bytes);
        free(block);
    }
    return NULL;
}

int main(void)
{
    int failed = 0;
    pthread_t threads[3];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (int i = 0; i < 3; i++) {
        failed |= pthread_create(&threads[i], &attributes, allocate, &failed);
    }
    for (int i = 0; i < 3; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        failed |= result != NULL;
    }
    return failed;
}
