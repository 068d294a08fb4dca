/* os_call.c - shared by the system call modules: failure injection, the environment, the auxiliary
 * vector.
 *
 * Owns:       in debug builds, the countdown to injected failures.
 * Threads:    any.
 * Locks:      none.
 * Invariants: OS-1  errno is preserved, whatever happens.
 */
#include "base/os_call.h"

#include "base/check.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static struct {
    _Atomic(long) fail_after; // debug: see os_fail_after
    _Atomic(bool) fail_asked; // debug: MYALLOC_FAIL_AFTER was looked up
} g_os_call;

// glibc's internal names: getauxval and environ may be defined by the program.
// NOLINTNEXTLINE(readability-identifier-naming)
extern unsigned long __getauxval(unsigned long type);

unsigned long os_auxval(unsigned long type)
{
    ASSERT(type != AT_NULL); // the end of the list
    int saved = errno;
    unsigned long value = __getauxval(type);
    errno = saved; // ENOENT
    return value;
}

const char *os_env(const char *name)
{
    if (os_auxval(AT_SECURE) != 0) {
        return NULL;
    }
    size_t bytes = strlen(name);
    ASSERT(bytes != 0);
    ASSERT(memchr(name, '=', bytes) == NULL);
    for (char **entry = __environ; entry != NULL && *entry != NULL; entry++) {
        if (strncmp(*entry, name, bytes) == 0 && (*entry)[bytes] == '=') {
            return *entry + bytes + 1;
        }
    }
    return NULL;
}

const char *os_env_next(const char *beginning, size_t *at)
{
    if (os_auxval(AT_SECURE) != 0 || __environ == NULL) {
        return NULL;
    }
    size_t bytes = strlen(beginning);
    ASSERT(bytes != 0);
    while (__environ[*at] != NULL) {
        const char *entry = __environ[(*at)++];
        if (strncmp(entry, beginning, bytes) == 0) {
            return entry + bytes;
        }
    }
    return NULL;
}

void os_fail_after(long n)
{
    atomic_store_explicit(&g_os_call.fail_asked, true, memory_order_relaxed);
    atomic_store_explicit(&g_os_call.fail_after, n, memory_order_relaxed);
}

static void fail_ask_environment(void)
{
    const char *text = os_env("MYALLOC_FAIL_AFTER");
    os_fail_after(text != NULL ? strtol(text, NULL, 10) : 0);
    ASSERT(atomic_load_explicit(&g_os_call.fail_asked, memory_order_relaxed)); // once
}

bool os_fail_is_due(void)
{
    if (!atomic_load_explicit(&g_os_call.fail_asked, memory_order_relaxed)) {
        fail_ask_environment();
    }
    long left = atomic_load_explicit(&g_os_call.fail_after, memory_order_relaxed);
    if (left == 0) {
        return false;
    }
    if (left == 1) {
        atomic_store_explicit(&g_os_call.fail_after, 0, memory_order_relaxed);
        return true;
    }
    if (left == -1) {
        return true;
    }
    ASSERT(left > 1 || left < -1);
    atomic_fetch_add_explicit(&g_os_call.fail_after, left > 0 ? -1 : 1, memory_order_relaxed);
    return false;
}
