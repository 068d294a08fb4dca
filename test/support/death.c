/* death.c - runs a victim and compares its last words, byte by byte. */
#include "support/death.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "corruption/messages.h"
#include "support/affinity.h"
#include "support/harness.h"
#include "support/outcome.h"

/* Set by the linker around the section of the victims, where a program has victims. */
__attribute__((weak)) extern const char __start_victims[];
__attribute__((weak)) extern const char __stop_victims[];
extern const char __executable_start[];

struct death {
    void (*victim)(struct misuse *);
    struct misuse *misuse;
};

static void meet_victim(void *context)
{
    struct death *death = context;
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    // Which block is found first depends on the slot: with cpu_cache:cpu, a victim that migrates
    // would be told of another one.
    (void)stay_on_this_cpu();
    death->victim(death->misuse);
}

/* The line up to the offset of the caller; returns its length. */
static size_t expected_start(char *line, size_t bytes_max, const char *what, struct misuse misuse)
{
    char program[1024] = {0};
    REQUIRE(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    char size[64] = {0};
    if (misuse.block_bytes != 0) {
        snprintf(size, sizeof size, " (%zu-byte block)", misuse.block_bytes);
    }
    int used = snprintf(line, bytes_max, FATAL_PREFIX "%s 0x%zx%s, called from %s+0x", what,
                        (size_t)(uintptr_t)misuse.ptr, size, program);
    REQUIRE(used > 0 && (size_t)used < bytes_max);
    return (size_t)used;
}

static void show_difference(const char *text, const char *expected)
{
    dprintf(STDOUT_FILENO, "# got:  %s# want: %s...\n", *text ? text : "nothing\n", expected);
}

void expect_death(void (*victim)(struct misuse *misuse), const char *what)
{
    ONLY_LIBRARY();
    struct misuse *misuse =
        mmap(NULL, sizeof *misuse, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(misuse != MAP_FAILED);
    struct death death = {victim, misuse};
    static struct outcome outcome;
    outcome_of_function(&outcome, meet_victim, &death, STDERR_FILENO);

    char expected[2048];
    size_t expected_bytes = expected_start(expected, sizeof expected, what, *misuse);
    bool message_is_exact = strncmp(outcome.text, expected, expected_bytes) == 0;
    if (!message_is_exact) {
        show_difference(outcome.text, expected);
    }
    REQUIRE(message_is_exact);
    char *rest = NULL;
    uintptr_t offset = strtoul(outcome.text + expected_bytes, &rest, 16);
    REQUIRE(strcmp(rest, "\n") == 0);
    REQUIRE(offset > (uintptr_t)__start_victims - (uintptr_t)__executable_start);
    REQUIRE(offset <= (uintptr_t)__stop_victims - (uintptr_t)__executable_start);
    REQUIRE(WIFSIGNALED(outcome.status));
    REQUIRE_EQUAL(WTERMSIG(outcome.status), SIGABRT);
}

void *misused_block(struct misuse *misuse, size_t bytes)
{
    misuse->ptr = malloc(bytes);
    REQUIRE(misuse->ptr != NULL);
    misuse->block_bytes = malloc_usable_size(misuse->ptr);
    return misuse->ptr;
}

struct errand {
    void (*run)(void *);
    void *ptr;
};

static void *run_errand(void *argument)
{
    struct errand *errand = argument;
    errand->run(errand->ptr);
    return NULL;
}

void in_other_thread(void (*free_it)(void *ptr), void *ptr)
{
    struct errand errand = {free_it, ptr};
    pthread_t thread;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, run_errand, &errand), 0);
    pthread_join(thread, NULL);
}
