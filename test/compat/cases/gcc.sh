# gcc.sh - gcc: compiles, assembles, links, with link-time optimization
# needs: gcc
# packages: gcc libc6-dev
# serves: cc1 as collect2 gcc lto1
cat >a.c <<'SOURCE'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int twice(int);
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int main(void) {
    int *all = calloc(1000, sizeof *all);
    for (int i = 0; i < 1000; i++) all[i] = twice(i * 7919 % 1000);
    qsort(all, 1000, sizeof *all, compare);
    printf("%d %d\n", all[0], all[999]);
    free(all);
}
SOURCE
echo 'int twice(int x) { return 2 * x; }' >b.c
run gcc -O2 -flto -o program a.c b.c
run ./program
run gcc -O3 -g -S -o - a.c | grep -v '\.string\|\.ident' | digest
