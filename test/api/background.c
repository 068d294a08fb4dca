/* background.c - background:1, the thread that returns free memory once the program is quiet.
 *
 * A claim runs in a child of a fork, which has no such thread: so each starts this program anew,
 * with the option and its own name, and the constructor runs its body there.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/harness.h"
#include "support/process.h"

/* Threads of this process, and signals that the last one of them holds back. */
static unsigned count_threads(unsigned long long *held)
{
    char line[200];
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    REQUIRE(tasks != NULL);
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        if (task->d_name[0] == '.') {
            continue;
        }
        count++;
        snprintf(line, sizeof line, "/proc/self/task/%.20s/status", task->d_name);
        FILE *status = fopen(line, "r");
        while (status != NULL && fgets(line, sizeof line, status) != NULL) {
            sscanf(line, "SigBlk: %llx", held);
        }
        if (status != NULL) {
            fclose(status);
        }
    }
    closedir(tasks);
    return count;
}

/* 64 MiB in blocks between which others stay, and 32 MiB of them freed and taken, so that the
 * allocator learns to keep them; in the end they are free. */
enum { BLOCKS = 64 * 1024, BYTES = 1000 };
static char *g_blocks[BLOCKS];

static void fill(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        if (g_blocks[i] == NULL) {
            g_blocks[i] = malloc(BYTES);
            REQUIRE(g_blocks[i] != NULL);
            memset(g_blocks[i], 1, BYTES);
        }
    }
}

static void breathe(void)
{
    for (int round = 0; round < 4; round++) {
        fill();
        for (size_t i = 0; i < BLOCKS / 2; i++) {
            free(g_blocks[BLOCKS / 4 + i]);
            g_blocks[BLOCKS / 4 + i] = NULL;
        }
    }
}

static void what_is_free_goes_back_in_a_quiet_program_body(void)
{
    breathe();
    size_t before = process_rss_bytes();
    for (int tenths = 0; tenths < 100 && process_rss_bytes() + 16 * MIB > before; tenths++) {
        usleep(100000);
    }
    REQUIRE(process_rss_bytes() + 16 * MIB <= before);
    REQUIRE(g_blocks[0][0] == 1 && g_blocks[BLOCKS - 1][BYTES - 1] == 1);
    fill();
}

/* BACKGROUND-1: a trim each time would cost a busy program its caches. */
static void a_program_without_changes_is_left_alone_body(void)
{
    char *block = NULL;
    for (int i = 0; i < 1000; i++) { /* the first ones are told apart */
        block = malloc(BYTES);
        free(block);
    }
    usleep(600000);
    bool is_left_alone = false;
    for (int attempt = 0; attempt < 5 && !is_left_alone; attempt++) { /* the thread may be late */
        block = malloc(BYTES);
        block[0] = 1;
        free(block);
        usleep(600000); /* a trim would give its page back */
        struct rusage before;
        struct rusage after;
        getrusage(RUSAGE_THREAD, &before);
        block = malloc(BYTES);
        block[0] = 1;
        getrusage(RUSAGE_THREAD, &after);
        free(block);
        is_left_alone = after.ru_minflt == before.ru_minflt;
    }
    REQUIRE(is_left_alone);
}

static void the_thread_holds_back_all_signals_body(void)
{
    unsigned long long held = 0;
    REQUIRE_EQUAL(count_threads(&held), 2);
    REQUIRE(__builtin_popcountll(held) >= 60); /* not SIGKILL and SIGSTOP, nor two of libc */
}

static void a_child_of_fork_has_no_thread_and_works_body(void)
{
    pid_t child = fork();
    if (child == 0) {
        unsigned long long held = 0;
        bool is_alone = count_threads(&held) == 1;
        breathe();
        _exit(is_alone ? 0 : 1);
    }
    int status = 0;
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} g_bodies[] = {
    {"what_is_free_goes_back_in_a_quiet_program", what_is_free_goes_back_in_a_quiet_program_body},
    {"a_program_without_changes_is_left_alone", a_program_without_changes_is_left_alone_body},
    {"the_thread_holds_back_all_signals", the_thread_holds_back_all_signals_body},
    {"a_child_of_fork_has_no_thread_and_works", a_child_of_fork_has_no_thread_and_works_body},
};

__attribute__((constructor)) static void run_a_body(int argc, char **argv)
{
    for (size_t i = 0; i < COUNT_OF(g_bodies) && argc == 2; i++) {
        if (strcmp(argv[1], g_bodies[i].name) == 0) {
            g_bodies[i].run();
            _exit(0);
        }
    }
}

static void require_body(const char *name)
{
    ONLY_LIBRARY();
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        const char *options = getenv("MYALLOC_CONF");
        char with[500];
        snprintf(with, sizeof with, "%s,background:1,idle_ms:200",
                 options != NULL && options[0] != 0 ? options : "purge:1");
        setenv("MYALLOC_CONF", with, 1);
        execl("/proc/self/exe", "background", name, (char *)NULL);
        _exit(99);
    }
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
}

TEST(what_is_free_goes_back_in_a_quiet_program)
{
    require_body("what_is_free_goes_back_in_a_quiet_program");
}

TEST(a_program_without_changes_is_left_alone)
{
    require_body("a_program_without_changes_is_left_alone");
}

TEST(the_thread_holds_back_all_signals)
{
    require_body("the_thread_holds_back_all_signals");
}

TEST(a_child_of_fork_has_no_thread_and_works)
{
    require_body("a_child_of_fork_has_no_thread_and_works");
}
