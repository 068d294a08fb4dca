# gdb.sh - gdb calls malloc and free in a program under it
# needs: gdb gcc
# packages: gdb gcc
# serves: gdb program
echo '#include <stdlib.h>
#include <string.h>
int main(void) { char *p = malloc(100); strcpy(p, "text"); free(p); return 7; }' >a.c
gcc -g -O0 -o program a.c
run gdb -q -nx -batch -ex 'set confirm off' -ex 'break main' -ex run -ex next \
    -ex 'set $p = ((char *(*)(unsigned long)) malloc)(1000)' -ex 'print $p != 0' \
    -ex 'print ((char *(*)(char *, const char *)) strcpy)($p, "called")' \
    -ex 'print ((char *(*)(const char *)) strdup)("copied")' \
    -ex 'call ((void (*)(void *)) free)($p)' -ex continue ./program 2>&1 |
    grep -E '^\$|exited' | sed 's/0x[0-9a-f]*/ADDRESS/; s/process [0-9]*/process/'
