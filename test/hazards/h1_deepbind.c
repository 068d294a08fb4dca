/* h1_deepbind.c - RTLD_DEEPBIND must not split malloc and free; dlopen must keep its caller. */
#include <dlfcn.h>
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
