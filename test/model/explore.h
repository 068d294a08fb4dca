/* explore.h - runs the library's own code in every interleaving of a few threads.
 *
 * The floors are compiled with -fsanitize=thread, and explore.c takes the place of the sanitizer:
 * so each atomic access of the real code becomes a call, before which any other thread may go on.
 * Threads are coroutines; a state is all memory and all stacks, and each is gone on from once.
 * What is between two atomic accesses is one step: it must be under a lock, or the thread's own,
 * which the group tsan checks. Memory is sequentially consistent here.
 */
#ifndef TEST_MODEL_EXPLORE_H
#define TEST_MODEL_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>

enum { THREADS_MAX = 3 };

struct scene {
    const char *claim;
    void (*set_up)(void);               // alone
    void (*threads[THREADS_MAX])(void); // at once; NULL: fewer
    void (*check_end)(void);            // alone, whenever all threads have ended
};

/* What is state beside .data and .bss: words, which set_up names. */
enum { MEMORY_WORDS_MAX = 16 };
struct memory {
    void *words[MEMORY_WORDS_MAX];
    size_t count;
};

/* Explores the scene; says ok, or ends the program as explore_fail does. */
void explore(const struct scene *scene, const struct memory *memory);

/* Which thread is running, from 0. */
unsigned explore_thread(void);

/* The other threads do not go on: this one is alone in the child of a fork. */
void explore_end_others(void);

/* A place where any other thread may go on. */
void explore_step(const volatile void *touched);

/* Ends the program: the claim is broken on the path that is printed. */
_Noreturn void explore_fail(const char *what);

#define REQUIRE(condition) ((condition) ? (void)0 : explore_fail(#condition))

#endif
