/* sampled.c - misuses a block that guard:1 samples, in the way that its argument names. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUNCTION __attribute__((noinline))

enum { BYTES = 40, TRIES = 1000 };

FUNCTION static char *make(void)
{
    char *volatile block = malloc(BYTES);
    return block;
}

FUNCTION static void *drop(void *block)
{
    free(block);
    return block;
}

FUNCTION static void touch(volatile char *at)
{
    *at = 1;
}

/* A block at the end of its page, or at the beginning. */
static char *sampled(size_t offset)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < TRIES; i++) {
        char *block = make();
        if ((size_t)block % page == offset % page && (size_t)block >> 44 == 7) {
            return block;
        }
    }
    _exit(98);
}

static void leave(int signal)
{
    (void)signal;
    write(STDOUT_FILENO, "own handler\n", 12);
    _exit(3);
}

int main(int argc, char **argv)
{
    size_t at_the_end = (size_t)sysconf(_SC_PAGESIZE) - 48;
    char *block = sampled(strcmp(argv[argc - 1], "before") == 0 ? 0 : at_the_end);
    if (strcmp(argv[argc - 1], "behind") == 0) {
        touch(block + 48);
    } else if (strcmp(argv[argc - 1], "before") == 0) {
        touch(block - 1);
    } else if (strcmp(argv[argc - 1], "freed") == 0) {
        drop(block);
        touch(block);
    } else if (strcmp(argv[argc - 1], "freed-by-thread") == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, drop, block);
        pthread_join(thread, NULL);
        touch(block);
    } else if (strcmp(argv[argc - 1], "twice") == 0) {
        drop(block);
        drop(block);
    } else if (strcmp(argv[argc - 1], "slack") == 0) {
        touch(block + BYTES);
        drop(block);
    } else if (strcmp(argv[argc - 1], "null") == 0) {
        touch(NULL);
    } else if (strcmp(argv[argc - 1], "handled") == 0) {
        signal(SIGSEGV, leave);
        touch(NULL);
    }
    return 0;
}
