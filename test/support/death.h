/* death.h - misuse that must end the program with one exact line. */
#ifndef TEST_SUPPORT_DEATH_H
#define TEST_SUPPORT_DEATH_H

#include <stddef.h>

/* What a victim tells before it dies; lives in memory that it shares with the test. */
struct misuse {
    void *ptr;          // the pointer that the message must name
    size_t block_bytes; // the size that it must name; 0: none
};

/* Marks the code that calls the library wrongly: the message must name an address inside it. */
#define VICTIM __attribute__((noinline, section("victims"))) static void

/* Requires that VICTIM ends by SIGABRT with the one line that WHAT begins. */
void expect_death(void (*victim)(struct misuse *misuse), const char *what);

/* A block of BYTES bytes, told as the misused one. */
void *misused_block(struct misuse *misuse, size_t bytes);

/* Runs FREE_IT(PTR) in a thread of its own, to its end. */
void in_other_thread(void (*free_it)(void *ptr), void *ptr);

#endif
