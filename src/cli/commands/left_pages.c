/* left_pages.c - removes the live pages that killed processes left behind.
 *
 * Owns:       nothing; the pages are those of our own user.
 * Threads:    one; other commands may sweep at the same time.
 * Invariants: LEFT-1  a page goes only when its process is gone and its last sign of life is older
 *                     than KEPT_NS: until then `myalloc heap PID` shows it.
 *             LEFT-2  only regular files with the names of pages and answers, in directories that
 * are ours and that others cannot write, are looked at.
 *
 * `myalloc run` holds the page of its program open, and needs no name to read it.
 */
#include "cli/commands/left_pages.h"

#include "cli/procfs/live_page.h"
#include "cli/commands/target.h"
#include "cli/tool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KEPT_NS       600000000000ull
#define NS_PER_SECOND 1000000000ull

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Of the clock of the page. */
static uint64_t last_sign_ns(const struct myalloc_live *page)
{
    uint64_t last = later(page->header.started_ns, page->counters.counted_ns);
    for (size_t i = 0; i < MYALLOC_LIVE_EVENTS_MAX; i++) {
        last = later(last, page->events[i].time_ns);
    }
    return last;
}

static bool is_recent(uint64_t sign_ns, uint64_t now_ns)
{
    return sign_ns <= now_ns && now_ns - sign_ns < KEPT_NS;
}

static bool is_fresh_file(const struct stat *status)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return is_recent((uint64_t)status->st_mtim.tv_sec * NS_PER_SECOND,
                     (uint64_t)now.tv_sec * NS_PER_SECOND);
}

/* LEFT-1; a file that holds no page is as old as its last change. */
static bool is_left(int fd, pid_t pid, const struct stat *status)
{
    const char *why = NULL;
    if (kill(pid, 0) == 0 || errno != ESRCH || is_fresh_file(status) || live_page_is_held(fd)) {
        return false;
    }
    struct myalloc_live *const page = live_page_read(fd, &why);
    const bool is_old = page == NULL || !is_recent(last_sign_ns(page), tool_now_ns());
    free(page);
    return is_old;
}

/* LEFT-2: a page, PID or PID.2 and so on, or an answer beside it that nobody took; 0: none. */
static pid_t pid_of_name(const char *name)
{
    static const char *const ends[] = {"", ".heap", ".heap.part", ".purge", ".purge.part"};
    char number[16] = "";
    const size_t digits = strspn(name, "0123456789");
    const char *end = name + digits;
    if (digits >= sizeof(number)) {
        return 0;
    }
    memcpy(number, name, digits);
    if (end[0] == '.' && end[1] >= '1' && end[1] <= '9') {
        end += 1 + strspn(end + 1, "0123456789");
    }
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (strcmp(end, ends[i]) == 0) {
            return target_pid(number);
        }
    }
    return 0;
}

static void sweep_file(int directory, const char *name)
{
    const pid_t pid = pid_of_name(name);
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    const int fd = pid != 0 ? openat(directory, name, flags) : -1;
    struct stat status;
    if (fd < 0) {
        return;
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_uid == geteuid() && // LEFT-2
        is_left(fd, pid, &status)) {
        unlinkat(directory, name, 0);
    }
    close(fd);
}

static void sweep_directory(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (fd < 0) {
        return;
    }
    const bool is_ours = fstat(fd, &status) == 0 && status.st_uid == geteuid() && // LEFT-2
                         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
    DIR *const directory = is_ours ? fdopendir(fd) : NULL;
    if (directory == NULL) {
        close(fd);
        return;
    }
    for (struct dirent *entry = NULL; (entry = readdir(directory)) != NULL;) {
        sweep_file(fd, entry->d_name);
    }
    closedir(directory);
}

void left_pages_sweep(void)
{
    struct text path = {0};
    for (unsigned place = 0; place < LIVE_PAGE_PLACES; place++) {
        live_page_directory(&path, geteuid(), place);
        sweep_directory(text_string(&path));
    }
    text_free(&path);
}
