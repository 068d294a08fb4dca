/* probe.c - preloaded behind the library: notes for every process of a scene whose malloc it has.
 *
 * One line "PROGRAM LIBRARY" goes to the file that PROBE_LOG names; nothing is allocated. It asks
 * for malloc_usable_size because a program that is not position-independent has a `malloc` of its
 * own, a stub that only leads to the real one.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static struct iovec text_vector(const char *text)
{
    return (struct iovec){(void *)(size_t)text, strlen(text)};
}

__attribute__((constructor)) static void note_malloc(void)
{
    Dl_info where = {0};
    const char *log_path = getenv("PROBE_LOG");
    if (log_path == NULL || dladdr((void *)malloc_usable_size, &where) == 0) {
        return;
    }
    int saved_errno = errno;
    int fd = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    struct iovec line[] = {text_vector(program_invocation_short_name), text_vector(" "),
                           text_vector(where.dli_fname), text_vector("\n")};
    if (fd >= 0) {
        (void)!writev(fd, line, 4);
        close(fd);
    }
    errno = saved_errno;
}
