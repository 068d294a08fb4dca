/* malloc_stats.c - malloc_stats(3), and that no function of the family is a point of cancellation.
 */
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/harness.h"

static volatile bool g_came_through, g_went_on;

static void *print_cancelled(void *unused)
{
    pthread_cancel(pthread_self()); // from now on the first point of cancellation ends the thread
    malloc_stats();
    void *blocks[] = {malloc(100), calloc(1, 5000), aligned_alloc(4096, 100000), malloc(8 * MIB)};
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        free(blocks[i]);
    }
    malloc_trim(0);
    g_came_through = true;
    pthread_testcancel();
    g_went_on = true;
    return unused;
}

TEST(no_function_of_the_family_is_a_point_of_cancellation)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int kept = dup(STDERR_FILENO);
    REQUIRE(dup2(null, STDERR_FILENO) == STDERR_FILENO);
    pthread_t thread;
    void *result = NULL;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, print_cancelled, NULL), 0);
    REQUIRE_EQUAL(pthread_join(thread, &result), 0);
    REQUIRE(dup2(kept, STDERR_FILENO) == STDERR_FILENO);
    REQUIRE(result == PTHREAD_CANCELED);
    REQUIRE(g_came_through);
    REQUIRE(!g_went_on);
}

/* Regions and bytes are those of the same moment, as in glibc: when most were in use. */
TEST(malloc_stats_tells_of_the_system)
{
    void *blocks[] = {malloc(40 * MIB), malloc(40 * MIB), malloc(40 * MIB)};
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        free(blocks[i]);
    }
    int ends[2];
    char text[4096] = {0};
    REQUIRE_EQUAL(pipe(ends), 0);
    int kept = dup(STDERR_FILENO);
    REQUIRE(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    free(malloc(100));
    malloc_stats();
    REQUIRE(dup2(kept, STDERR_FILENO) == STDERR_FILENO);
    REQUIRE(read(ends[0], text, sizeof text - 1) > 0);
    REQUIRE(strstr(text, "system bytes") != NULL);
    const char *regions = strstr(text, "max mmap regions =");
    const char *bytes = strstr(text, "max mmap bytes   =");
    REQUIRE(regions != NULL && bytes != NULL);
    REQUIRE(strtoul(regions + 18, NULL, 10) >= COUNT_OF(blocks));
    REQUIRE(strtoul(bytes + 18, NULL, 10) >= COUNT_OF(blocks) * 40 * MIB);
}
