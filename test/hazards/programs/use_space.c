/* use_space.c BYTES LIMIT PERCENT - limits its address space and fills it with blocks of one size;
 * exits 0 when they are at least so much of the limit, and prints how much they are. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

int main(int argc, char **argv)
{
    if (argc != 4) {
        return 2;
    }
    size_t bytes = strtoul(argv[1], NULL, 10);
    size_t limit = strtoul(argv[2], NULL, 10);
    const struct rlimit space = {limit, limit};
    if (setrlimit(RLIMIT_AS, &space) != 0) {
        return 2;
    }
    size_t used = 0;
    for (char *block = malloc(bytes); block != NULL; block = malloc(bytes)) {
        *block = 1;
        used += bytes;
    }
    printf("%zu%% of %zu MiB\n", used * 100 / limit, limit >> 20);
    return used * 100 < limit * strtoul(argv[3], NULL, 10);
}
