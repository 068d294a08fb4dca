/* exports.c - every name of the malloc family reaches the library, none stays with libc. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "myalloc.h"
#include "support/extensions.h"
#include "support/harness.h"

static const char *const g_names[] = {
    "malloc",
    "calloc",
    "realloc",
    "free",
    "reallocarray",
    "memalign",
    "valloc",
    "posix_memalign",
    "pvalloc",
    "malloc_usable_size",
    "aligned_alloc",
    "free_sized",
    "malloc_trim",
    "mallopt",
    "free_aligned_sized",
    "cfree",
    "mallinfo",
    "malloc_info",
    "mallinfo2",
    "malloc_stats",
    "dlopen",
    "myalloc_walk",
    "myalloc_map_file",
    "myalloc_map_part",
    "myalloc_pool_create",
    "myalloc_pool_alloc_aligned",
};

TEST(every_function_comes_from_the_preloaded_library)
{
    const char *lib = getenv("LIB");
    if (lib == NULL) {
        return;
    }
    for (size_t i = 0; i < COUNT_OF(g_names); i++) {
        Dl_info where = {0};
        void *function = dlsym(RTLD_DEFAULT, g_names[i]);
        dprintf(STDOUT_FILENO, "# %s\n", g_names[i]);
        REQUIRE(function != NULL);
        REQUIRE(dladdr(function, &where) != 0);
        REQUIRE(strstr(where.dli_fname, strrchr(lib, '/')) != NULL);
    }
}

TEST(the_version_is_that_of_the_header)
{
    ONLY_LIBRARY();
    REQUIRE(strcmp(myalloc_version(), MYALLOC_VERSION) == 0);
}
