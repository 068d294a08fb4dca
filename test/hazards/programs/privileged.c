/* privileged.c - exits 0 when the kernel calls this program privileged. */
#include <stdlib.h>
#include <sys/auxv.h>

int main(void)
{
    free(malloc(100));
    return getauxval(AT_SECURE) == 0;
}
