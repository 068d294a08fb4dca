/* torn_events.c - one process rewrites the ring of events as fast as it can, another reads it.
 *
 * Owns:       the file named by argv[1].
 * Threads:    two processes: a writer and a reader.
 * Invariants: TORN-1  event n tells n * 4096 bytes and n ns: an entry that was read while it was
 *                     rewritten would break that, and must have been left out.
 */
#include "cli/procfs/live_page.h"
#include "page_fill.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_NS 700000000u

static _Noreturn void write_for_ever(struct myalloc_live *page)
{
    for (uint64_t n = page->event_count + 1;; n++) {
        page_add_event(page, MYALLOC_LIVE_EVENT_PURGE, n, n * 4096);
    }
}

int main(int argc, char **argv)
{
    const int fd = argc == 2 ? open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd < 0 || ftruncate(fd, sizeof(struct myalloc_live)) != 0) {
        perror("torn_events");
        return 2;
    }
    struct myalloc_live *const page =
        mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        return 2;
    }
    page_fill(page, (uint32_t)getpid(), 1);
    const uint64_t after = page->event_count;
    const pid_t writer = fork();
    if (writer == 0) {
        write_for_ever(page);
    }
    if (writer < 0) { // kill() would take it for all processes
        return 1;
    }
    static struct live_event events[MYALLOC_LIVE_EVENTS_MAX];
    unsigned long whole = 0;
    unsigned long torn = 0;
    for (const uint64_t end_ns = page_now_ns() + READ_NS; page_now_ns() < end_ns;) {
        const char *why = NULL;
        struct myalloc_live *const copy = live_page_read(fd, &why);
        const size_t count = copy != NULL ? live_page_events(copy, after, events) : 0;
        for (size_t i = 0; i < count; i++) {
            const uint64_t n = events[i].number;
            const int is_right = events[i].bytes == n * 4096 && events[i].time_ns == n; // TORN-1
            whole += is_right ? 1 : 0;
            torn += is_right ? 0 : 1;
        }
        free(copy);
    }
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    unlink(argv[1]);
    printf("%lu whole events, %lu torn\n", whole, torn);
    return torn == 0 && whole != 0 ? 0 : 1;
}
