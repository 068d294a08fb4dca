/* false_claims.c - claims that do not hold, one for each way in which a claim can fail. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "corruption/messages.h"
#include "support/blocks.h"
#include "support/death.h"
#include "support/harness.h"

/* The harness is to believe that the library is there: these victims write its messages. */
void *api_malloc(size_t bytes);
void *api_malloc(size_t bytes)
{
    return malloc(bytes);
}

TEST(a_condition_that_is_false)
{
    REQUIRE(opaque_size(1) == 2);
}

TEST(numbers_that_differ)
{
    REQUIRE_EQUAL(opaque_size(1), 2);
}

TEST(a_crash)
{
    raise(SIGSEGV);
}

TEST(a_hang_that_no_signal_but_the_last_one_ends)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (;;) {
        pause();
    }
}

TEST(an_exit_with_a_status)
{
    exit(3);
}

TEST(a_block_that_was_overwritten)
{
    char block[100];
    block_fill(block, sizeof block, 1);
    block[99]++;
    REQUIRE(block_holds(block, sizeof block, 1));
}

/* The right line for a double free of address 0, but for what the tests below change. */
static void write_line(const char *what, const char *end)
{
    char program[1024] = {0};
    REQUIRE(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    dprintf(STDERR_FILENO, FATAL_PREFIX "%s 0x0, called from %s+%s", what, program, end);
}

static void die_silently(struct misuse *misuse)
{
    (void)misuse;
    abort();
}

TEST(a_death_without_a_message)
{
    expect_death(die_silently, DOUBLE_FREE);
}

static void die_of_something_else(struct misuse *misuse)
{
    (void)misuse;
    write_line(INVALID_FREE, "0x1\n");
    abort();
}

TEST(a_death_with_another_message)
{
    expect_death(die_of_something_else, DOUBLE_FREE);
}

static void die_called_from_elsewhere(struct misuse *misuse)
{
    (void)misuse;
    write_line(DOUBLE_FREE, "0x1\n");
    abort();
}

TEST(a_death_that_names_a_wrong_caller)
{
    expect_death(die_called_from_elsewhere, DOUBLE_FREE);
}

extern const char __start_victims[];
extern const char __executable_start[];

/* An offset that is right, with END behind it. */
static void write_right_place(const char *end)
{
    char place[64];
    snprintf(place, sizeof place, "0x%zx%s", (size_t)(__start_victims + 1 - __executable_start),
             end);
    write_line(DOUBLE_FREE, place);
}

VICTIM die_with_two_lines(struct misuse *misuse)
{
    (void)misuse;
    write_right_place("\nand more\n");
    abort();
}

TEST(a_death_with_two_lines)
{
    expect_death(die_with_two_lines, DOUBLE_FREE);
}

VICTIM speak_but_live(struct misuse *misuse)
{
    (void)misuse;
    write_right_place("\n");
}

TEST(a_message_without_a_death)
{
    expect_death(speak_but_live, DOUBLE_FREE);
}
