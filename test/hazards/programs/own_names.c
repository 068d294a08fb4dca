/* own_names.c - a program with functions and a variable of its own under the names of system calls
 * and of libc's helpers: ISO C reserves none of them. Exits 0 when nobody calls them and the
 * allocator serves; with an argument, its blocks must have been filled by the option perturb:1.
 *
 * No header that declares these names is included.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int pthread_create(unsigned long *thread, const void *attributes, void *(*run)(void *),
                          void *argument);
extern int pthread_join(unsigned long thread, void **result);

static _Atomic(int) g_calls;

#define OWN(name)                                                                                  \
    long name(long first);                                                                         \
    long name(long first)                                                                          \
    {                                                                                              \
        g_calls++;                                                                                 \
        return -first - 3;                                                                         \
    }

OWN(syscall)
OWN(mmap)
OWN(mmap64)
OWN(munmap)
OWN(mremap)
OWN(madvise)
OWN(mprotect)
OWN(mincore)
OWN(sbrk)
OWN(brk)
OWN(read)
OWN(write)
OWN(open)
OWN(openat)
OWN(close)
OWN(unlink)
OWN(getpid)
OWN(gettid)
OWN(getuid)
OWN(geteuid)
OWN(getpagesize)
OWN(getauxval)
OWN(getrandom)
OWN(sysconf)
OWN(clock_gettime)
OWN(gettimeofday)
OWN(nanosleep)
OWN(sched_getcpu)
OWN(sched_yield)
OWN(signal)
OWN(raise)
OWN(sigaction)
OWN(sigprocmask)
OWN(pthread_sigmask)
OWN(kill)
OWN(tgkill)
OWN(membarrier)
OWN(dlsym)
OWN(dlvsym)
OWN(dladdr)
OWN(dladdr1)
OWN(dl_iterate_phdr)

// It returns, which the declaration of abort forbids.
void own_abort(void) __asm__("abort");
void own_abort(void)
{
    g_calls++;
}

char **environ; // as old programs define it: libc's own is __environ

enum { BLOCKS = 200, BYTES_MAX = 300000, HUGE = 8 << 20 };

static void *work(void *result)
{
    for (int round = 0; round < 4; round++) {
        static _Thread_local char *blocks[BLOCKS];
        for (int i = 0; i < BLOCKS; i++) {
            size_t bytes = 1 + (size_t)(i * 977 + round * 13) % BYTES_MAX;
            blocks[i] = malloc(bytes);
            if (blocks[i] == NULL) {
                return result;
            }
            memset(blocks[i], 1, bytes);
        }
        for (int i = 0; i < BLOCKS; i++) {
            free(blocks[i]);
        }
        char *huge = realloc(malloc(HUGE), (size_t)2 * HUGE);
        if (huge == NULL) {
            return result;
        }
        memset(huge, 1, (size_t)2 * HUGE);
        free(huge);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "corrupt") == 0) {
        void *volatile block = malloc(100000);
        free(block);
        free(block);
        return 0;
    }
    if (strcmp(what, "perturbed") == 0) {
        unsigned char *block = malloc(500);
        if (block == NULL || block[250] != (1 ^ 0xff)) {
            return 2;
        }
        free(block);
    }
    unsigned long thread;
    void *of_thread = &thread;
    if (work(&thread) != NULL || pthread_create(&thread, NULL, work, &thread) != 0 ||
        pthread_join(thread, &of_thread) != 0 || of_thread != NULL) {
        return 3;
    }
    extern int malloc_trim(size_t pad_bytes);
    malloc_trim(0);
    if (g_calls != 0) {
        printf("the program's functions were called %d times\n", g_calls);
        return 4;
    }
    return 0;
}
