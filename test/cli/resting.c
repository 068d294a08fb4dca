/* resting.c - a preload by which real programs tell what is in use, and a program that uses each
 * place where free blocks can be: `MALLOC_STATS_BY=SIGUSR2` makes malloc_stats() speak. */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS 20000

static void *g_kept[4][BLOCKS];

static void tell(int number)
{
    (void)number;
    malloc_stats();
}

__attribute__((constructor)) static void start(void)
{
    signal(SIGUSR2, tell);
}

static void *work(void *argument)
{
    void **const kept = argument;
    for (size_t i = 0; i < BLOCKS; i++) {
        const size_t bytes = 1 + i * 37 % (i % 100 == 0 ? 60000 : i % 7 == 0 ? 4000 : 300);
        kept[i] = malloc(bytes);
        if (kept[i] == NULL) {
            abort();
        }
        memset(kept[i], 1, bytes);
        if (i % 3 == 0) {
            free(kept[i / 2]);
            kept[i / 2] = NULL;
        }
    }
    return NULL;
}

static void free_some(size_t every)
{
    for (size_t i = 0; i < BLOCKS; i += every) {
        free(g_kept[0][i]);
        g_kept[0][i] = NULL;
    }
}

int main(int argc, char **argv)
{
    const char *const how = argc > 1 ? argv[1] : "";
    pthread_t threads[4];
    void *volatile huge = malloc(3 << 20);
    void *volatile gone = malloc(5 << 20);
    free(gone);
    for (size_t i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, work, g_kept[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    if (strcmp(how, "fork") == 0 && fork() != 0) {
        pause();
    }
    free_some(2);
    if (strcmp(how, "trim") == 0) {
        free_some(1);
        malloc_trim(0);
    }
    close(STDOUT_FILENO); // whoever waits for the end of our output knows that we rest
    for (;;) {
        pause();
    }
    free(huge);
}
