/* harness.h - claims about an allocator: each runs in a process of its own and prints one TAP line.
 *
 * A test program includes this header, states its claims with TEST, and links harness.c, which has
 * main(). The same program runs under plain glibc (LIB unset), under the preloaded library (LIB
 * names it) and linked with the floor archives (api_malloc is there): what holds for all three is
 * the contract. The harness itself allocates nothing.
 */
#ifndef TEST_SUPPORT_HARNESS_H
#define TEST_SUPPORT_HARNESS_H

#include <stdbool.h>
#include <stddef.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};

void harness_register(struct test *test);

/* Ends the process of the running claim as failed; safe from any thread. */
_Noreturn void harness_fail(const char *file, int line, const char *condition);
void harness_equal(const char *file, int line, const char *what, long long actual,
                   long long expected);

/* True when the allocator under test is ours, preloaded or linked. */
bool harness_has_library(void);

/* Bytes of a page: what the system says, or what the build under test is forced to believe. */
size_t harness_page_bytes(void);

/* False when an option keeps the allocator from the program break. */
bool harness_uses_break(void);

#define TEST(name)                                                                                 \
    static void name(void);                                                                        \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        static struct test g_test = {#name, name, NULL};                                           \
        harness_register(&g_test);                                                                 \
    }                                                                                              \
    static void name(void)

#define REQUIRE(condition) ((condition) ? (void)0 : harness_fail(__FILE__, __LINE__, #condition))
#define REQUIRE_EQUAL(actual, expected)                                                            \
    harness_equal(__FILE__, __LINE__, #actual, (long long)(actual), (long long)(expected))

/* First line of a claim that glibc does not make. */
#define ONLY_LIBRARY()                                                                             \
    do {                                                                                           \
        if (!harness_has_library()) {                                                              \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#endif
