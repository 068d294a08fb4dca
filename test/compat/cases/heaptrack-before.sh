# heaptrack-before.sh - heaptrack preloaded before the library: it counts, the library serves it
# needs: /usr/lib/heaptrack/libheaptrack_preload.so gcc
# packages: heaptrack gcc
# serves: program
cat >a.c <<'SOURCE'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *work(void *seed) {
    long sum = 0;
    for (long i = 0; i < 20000; i++) {
        char *p = i % 3 ? malloc(i % 700 + 1) : calloc(1, i % 90 + 1);
        p = realloc(p, i % 900 + 1);
        void *q = NULL;
        if (posix_memalign(&q, 64, 100) == 0) free(q);
        p[0] = 1;
        sum += strlen(strcpy(p, ""));
        free(p);
    }
    return (void *)((long)seed * 2 + sum);
}
int main(void) {
    pthread_t threads[4];
    long total = 0;
    for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < 4; i++) { void *r; pthread_join(threads[i], &r); total += (long)r; }
    char *line = strdup("line"); printf("%ld %s\n", total, line); free(line);
}
SOURCE
gcc -O0 -w -o program a.c -pthread
export DUMP_HEAPTRACK_OUTPUT=$PWD/trace
LD_PRELOAD=/usr/lib/heaptrack/libheaptrack_preload.so:$PRELOAD ./program
[ "$(grep -c '^+' trace)" -ge 240000 ] && echo "all counted"
