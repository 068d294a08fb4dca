/* h5_fork_pages.c - a child that frees what its parent allocated: pages stay shared, nothing is
 * lost, and the memory serves the child when it asks for more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/harness.h"
#include "support/process.h"

enum { COUNT = 160000, BYTES = 256, PAGES = COUNT / (4096 / BYTES) };

static unsigned char *g_blocks[COUNT];

static void fill(size_t i)
{
    g_blocks[i] = malloc(BYTES);
    REQUIRE(g_blocks[i] != NULL);
    memset(g_blocks[i], (int)(i % 251), BYTES);
}

static void require_whole(size_t i)
{
    REQUIRE_EQUAL(g_blocks[i][0], i % 251);
    REQUIRE_EQUAL(g_blocks[i][BYTES - 1], i % 251);
}

static void fill_all(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        fill(i);
    }
}

static void free_from(size_t first, size_t step)
{
    for (size_t i = first; i < COUNT; i += step) {
        require_whole(i);
        free(g_blocks[i]);
    }
}

static long page_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static void in_child(void (*work)(void))
{
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        work();
        _exit(0);
    }
    int status = -1;
    REQUIRE_EQUAL(waitpid(pid, &status, 0), pid);
    REQUIRE_EQUAL(status, 0);
}

static void free_half(void)
{
    long before = page_faults();
    free_from(0, 2);
    REQUIRE(page_faults() - before < PAGES / 4);
    for (size_t i = 1; i < COUNT; i += 2) {
        require_whole(i);
    }
}

TEST(freeing_in_a_child_does_not_copy_the_pages)
{
    ONLY_LIBRARY();
    fill_all();
    in_child(free_half);
    free_from(0, 1);
}

/* Half the blocks live on: what comes back lies between them. */
static void free_half_and_fill_again(void)
{
    size_t heap_before = process_heap_bytes();
    free_from(0, 2);
    for (size_t i = 0; i < COUNT; i += 2) {
        fill(i);
    }
    REQUIRE(process_heap_bytes() <= heap_before + heap_before / 4);
    free_from(0, 1);
}

TEST(a_child_uses_again_what_it_freed_of_its_parents)
{
    fill_all();
    in_child(free_half_and_fill_again);
    in_child(free_half_and_fill_again);
    free_from(0, 1);
}

static void free_twice(void)
{
    free(g_blocks[7]);
    free(g_blocks[7]);
}

TEST(a_child_that_frees_a_block_of_its_parent_twice_ends)
{
    ONLY_LIBRARY();
    fill_all();
    REQUIRE(freopen("/dev/null", "w", stderr) != NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        free_twice();
        _exit(0);
    }
    int status = 0;
    REQUIRE_EQUAL(waitpid(pid, &status, 0), pid);
    REQUIRE(WIFSIGNALED(status));
}

static void fork_again(void)
{
    in_child(free_half);
    free_from(1, 2);
}

TEST(a_grandchild_does_so_too)
{
    ONLY_LIBRARY();
    fill_all();
    in_child(fork_again);
    free_from(0, 1);
}
