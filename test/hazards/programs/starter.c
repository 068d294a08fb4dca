/* starter.c fd|memory PROGRAM ARGUMENT... - starts a program by a descriptor, as systemd and
 * container runtimes do: of its file, or of a copy in memory. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
    if (argc < 3) {
        return 2;
    }
    int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
    if (strcmp(argv[1], "memory") == 0) {
        const char *slash = strrchr(argv[2], '/');
        int copy = memfd_create(slash != NULL ? slash + 1 : argv[2], MFD_CLOEXEC);
        while (sendfile(copy, fd, NULL, 1 << 20) > 0) {
        }
        fd = copy;
    }
    fexecve(fd, argv + 2, environ);
    return 3;
}
