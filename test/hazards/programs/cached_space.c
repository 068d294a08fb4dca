/* cached_space.c BYTES - in a limited address space of which a quarter stays in use, has as many
 * blocks of BYTES after blocks of all sizes came and went on the first CPU, whatever is cached of
 * them, as it would have without: prints both numbers, and exits 0 if the first is 95 % of the
 * second. The blocks of BYTES are allocated on the second CPU, if there is one. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/affinity.h"

enum { MIB = 1 << 20, LIMIT = 60 * MIB, STAY = 16 * MIB, COUNT_MAX = 20000, AT_A_TIME = 100 };

static void *g_blocks[COUNT_MAX];

static void come_and_go(void)
{
    for (size_t bytes = 16; bytes <= 256 << 10; bytes += bytes < 128 ? 16 : bytes / 8 & ~15UL) {
        size_t count = (MIB / 2) / bytes < AT_A_TIME ? (MIB / 2) / bytes : AT_A_TIME;
        for (size_t i = 0; i < count; i++) {
            g_blocks[i] = malloc(bytes);
        }
        for (size_t i = 0; i < count; i++) {
            free(g_blocks[i]);
        }
    }
}

static int fill(size_t bytes)
{
    int count = 0;
    while (count < COUNT_MAX && (g_blocks[count] = malloc(bytes)) != NULL) {
        count++;
    }
    return count;
}

/* How many blocks there are room for, counted by a child. */
static int count_in_child(size_t bytes, int after)
{
    int ends[2];
    int count = -1;
    if (pipe(ends) != 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        run_on_cpu(0);
        const struct rlimit limit = {LIMIT, LIMIT};
        setrlimit(RLIMIT_AS, &limit);
        for (int i = 0; i < STAY / 1000; i++) {
            if (malloc(1000) == NULL) {
                _exit(3);
            }
        }
        if (after) {
            come_and_go();
        }
        run_on_cpu(1);
        count = fill(bytes);
        _exit(write(ends[1], &count, sizeof count) != sizeof count);
    }
    close(ends[1]);
    if (read(ends[0], &count, sizeof count) != sizeof count) {
        count = -1;
    }
    close(ends[0]);
    waitpid(pid, NULL, 0);
    return count;
}

int main(int argc, char **argv)
{
    size_t bytes = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    int without = count_in_child(bytes, 0);
    int after = count_in_child(bytes, 1);
    printf("%d of %d\n", after, without);
    return without <= 0 || after * 20 < without * 19;
}
