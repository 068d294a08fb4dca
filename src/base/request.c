/* request.c - signals that ask, files that answer.
 *
 * Owns:       nothing.
 * Threads:    any.
 * Locks:      none.
 * Invariants: REQUEST-1  errno is as it was.
 */
#include "base/request.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

bool request_listen(int signal, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct sigaction before;
    int saved = errno;
    bool is_ours = sigaction(signal, NULL, &before) == 0 && before.sa_handler == SIG_DFL &&
                   sigaction(signal, &action, NULL) == 0;
    errno = saved; // REQUEST-1
    return is_ours;
}

bool request_answer(const char *part, const char *name)
{
    int saved = errno;
    bool is_done = syscall(SYS_rename, part, name) == 0;
    errno = saved; // REQUEST-1
    return is_done;
}
