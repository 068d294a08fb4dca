/* h1_deepbind.c - RTLD_DEEPBIND must not split malloc and free; dlopen must keep its caller. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/harness.h"

typedef int plugin_run_fn(void);
typedef void *caller_open_fn(const char *name, int flags);

/* The path of NAME in the plugins' directory, beside this program. */
static void plugin_path(char *path, size_t bytes_max, const char *name)
{
    char program[1024] = {0};
    REQUIRE(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    *strrchr(program, '/') = '\0';
    snprintf(path, bytes_max, "%s/plugins/%s", program, name);
}

static void *plugin_function(void *handle, const char *name)
{
    REQUIRE(handle != NULL);
    void *function = dlsym(handle, name);
    REQUIRE(function != NULL);
    return function;
}

static void require_plugin_runs(void *handle)
{
    plugin_run_fn *run = NULL;
    *(void **)&run = plugin_function(handle, "plugin_run");
    for (int i = 0; i < 1000; i++) {
        REQUIRE_EQUAL(run(), 46);
    }
}

TEST(a_plugin_opened_with_deepbind_frees_what_libc_allocated)
{
    char path[2048];
    plugin_path(path, sizeof path, "strdup_plugin.so");
    require_plugin_runs(dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND));
}

TEST(dlopen_searches_the_runpath_of_its_caller)
{
    char path[2048];
    plugin_path(path, sizeof path, "caller.so");
    caller_open_fn *open_from_caller = NULL;
    *(void **)&open_from_caller =
        plugin_function(dlopen(path, RTLD_NOW | RTLD_LOCAL), "caller_open");
    REQUIRE(dlopen("strdup_plugin.so", RTLD_NOW) == NULL);
    require_plugin_runs(open_from_caller("strdup_plugin.so", RTLD_NOW | RTLD_DEEPBIND));
}

TEST(dlopen_of_null_is_the_program_itself)
{
    REQUIRE(dlopen(NULL, RTLD_NOW) != NULL);
    REQUIRE(dlopen("no such library.so", RTLD_NOW) == NULL);
    REQUIRE(dlerror() != NULL);
}

TEST(a_plugin_can_be_closed_and_opened_again)
{
    char path[2048];
    plugin_path(path, sizeof path, "strdup_plugin.so");
    for (int i = 0; i < 200; i++) {
        void *handle = dlopen(path, RTLD_NOW | RTLD_DEEPBIND);
        REQUIRE(handle != NULL);
        REQUIRE_EQUAL(dlclose(handle), 0);
    }
}

enum { LOADS = 300, KEPT = 64 };

typedef char *plugin_make_fn(unsigned seed);
static atomic_bool g_is_over;

static void *allocate_beside(void *unused)
{
    for (size_t i = 0; !atomic_load(&g_is_over); i++) {
        char *block = malloc(16 + i % 5000);
        REQUIRE(block != NULL);
        block[0] = 1;
        free(block);
    }
    return unused;
}

static char *make_in_plugin(const char *path, int flags, unsigned seed)
{
    void *handle = dlopen(path, flags);
    plugin_make_fn *make = NULL;
    *(void **)&make = plugin_function(handle, "plugin_make");
    char *text = make(seed);
    REQUIRE(text != NULL);
    REQUIRE_EQUAL(dlclose(handle), 0);
    return text;
}

static void require_text(char *text, unsigned seed)
{
    char expected[64];
    snprintf(expected, sizeof expected, "text %u with 5", seed);
    REQUIRE(strcmp(text, expected) == 0);
    free(text);
}

TEST(plugins_that_allocate_come_and_go_beside_threads_that_allocate)
{
    char path[2048];
    char *kept[KEPT] = {NULL};
    pthread_t thread;
    plugin_path(path, sizeof path, "keeper.so");
    REQUIRE_EQUAL(pthread_create(&thread, NULL, allocate_beside, NULL), 0);
    for (unsigned i = 0; i < LOADS; i++) {
        if (i >= KEPT) {
            require_text(kept[i % KEPT], i - KEPT);
        }
        kept[i % KEPT] = make_in_plugin(path, RTLD_NOW | (i % 2 != 0 ? RTLD_DEEPBIND : 0), i);
    }
    for (unsigned i = LOADS - KEPT; i < LOADS; i++) {
        require_text(kept[i % KEPT], i);
    }
    atomic_store(&g_is_over, true);
    pthread_join(thread, NULL);
}
