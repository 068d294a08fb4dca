/* live_library.c - a stand-in for libmyalloc.so that does nothing but keep a live page.
 *
 * Owns:       the page of the process into which it is preloaded.
 * Threads:    one; it allocates nothing.
 * Invariants: STANDIN-1  every step of "Making" and "Ending" in myalloc_live.h is here, in order.
 */
#include "page_fill.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    struct myalloc_live *page; // NULL: live:N was not asked for, or a step failed
    char path[512];
} g_live;

__attribute__((constructor)) static void begin(void)
{
    const char *const conf = getenv("MYALLOC_CONF");
    const char *const runtime = getenv("XDG_RUNTIME_DIR");
    if (conf == NULL || strstr(conf, "live:") == NULL || runtime == NULL) {
        return;
    }
    snprintf(g_live.path, sizeof(g_live.path), "%s/myalloc", runtime);
    mkdir(g_live.path, 0700);
    snprintf(g_live.path, sizeof(g_live.path), "%s/myalloc/%d", runtime, (int)getpid());
    const int fd = open(g_live.path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || ftruncate(fd, 0) != 0 || ftruncate(fd, sizeof(struct myalloc_live)) != 0) {
        return;
    }
    void *const memory =
        mmap(NULL, sizeof(struct myalloc_live), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory != MAP_FAILED) {
        g_live.page = memory;
        page_fill(g_live.page, (uint32_t)getpid(), page_now_ns());
    }
}

__attribute__((destructor)) static void end(void)
{
    if (g_live.page != NULL) {
        atomic_store(&g_live.page->header.ended_ns, page_now_ns());
        atomic_store(&g_live.page->header.state, MYALLOC_LIVE_ENDED);
        unlink(g_live.path);
    }
}
