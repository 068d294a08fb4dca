/* test_start.c - every lower module is started once. */
#include "front/start.h"
#include "base/os.h"
#include "front/api.h"
#include "front/mode.h"
#include "pages/page_map.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void *start_and_allocate(void *unused)
{
    (void)unused;
    cr_assert_eq(start_once(), START_SERVING);
    return api_malloc(100);
}

/* START-1: two starts would make two page maps, and lose what lies in the first. */
Test(start, threads_that_come_at_once_start_once)
{
    enum { THREADS = 16 };
    pthread_t threads[THREADS];
    cr_assert_eq(start_mode(), START_NOT_YET);
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, start_and_allocate, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *block = NULL;
        pthread_join(threads[i], &block);
        cr_assert_neq(page_map_find(block), 0); // all in one map
        api_free(block);
    }
    cr_assert_eq(start_mode(), START_SERVING);
    cr_assert(mode_is_plain());
}

/* START-1: the program goes on when memory comes; MODE-1: nothing is served before. */
Test(start, without_memory_the_next_request_tries_again)
{
    os_fail_after(-1);
    cr_assert_eq(start_once(), START_NOT_YET);
    cr_assert_not(mode_is_plain());
    os_fail_after(0);
    cr_assert_eq(start_once(), START_SERVING);
    cr_assert_not_null(api_malloc(1));
}

Test(start, a_program_that_is_excluded_is_left_alone)
{
    setenv("MYALLOC_EXCLUDE", "other,test_start:more", 1);
    cr_assert_eq(start_once(), START_FORWARDING);
    cr_assert_eq(start_mode(), START_FORWARDING);
}

Test(start, part_of_a_name_excludes_nobody)
{
    setenv("MYALLOC_EXCLUDE", "test,start:test_start.c", 1);
    cr_assert_eq(start_once(), START_SERVING);
}
