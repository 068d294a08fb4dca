/* h31_keys.c - a process has 1024 keys of threads, and programs that want them all. */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "support/harness.h"
#include "support/rseq_area.h"

static void *allocate(void *unused)
{
    for (size_t bytes = 1; bytes < 100000; bytes += bytes / 4 + 1) {
        free(malloc(bytes));
    }
    return unused;
}

TEST(every_key_is_the_programs)
{
    static pthread_key_t keys[PTHREAD_KEYS_MAX];
    pthread_t thread;
    if (!library_uses_sequences()) {
        return; // caches of threads: one key tells of their end
    }
    (void)allocate(NULL);
    REQUIRE_EQUAL(pthread_create(&thread, NULL, allocate, NULL), 0);
    REQUIRE_EQUAL(pthread_join(thread, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        REQUIRE_EQUAL(pthread_key_create(&keys[i], NULL), 0);
    }
}
