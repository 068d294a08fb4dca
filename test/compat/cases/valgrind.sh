# valgrind.sh - valgrind finds a leak and a use after free in a program under the preload
# needs: valgrind gcc
# packages: valgrind gcc libc6-dbg
# own: program valgrind
echo '#include <stdlib.h>
int main(void) {
    char *p = malloc(123), *q = malloc(50);
    p[0] = 1; free(q); p = q;
    return *(volatile char *)q == 77;
}' >a.c
gcc -g -O0 -w -o program a.c
found='definitely lost: .*|Invalid read of size .*|ERROR SUMMARY: [0-9]* errors|in use at exit: .*'
run valgrind --leak-check=full ./program 2>&1 | grep -oE "$found"
