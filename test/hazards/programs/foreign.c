/* foreign.c KIND OPERATION [PLACE] - hands the allocator a pointer that it never returned.
 * Exits 0 when the program could go on. PLACE: in a thread, in a coroutine whose stack is a block,
 * or in one whose stack is a mapping below all others, or one right below the pointer's, which in
 * turn lies right below the memory of the thread: they are one to whoever looks at mappings.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

extern void *__libc_malloc(size_t bytes);

enum { BYTES = 4 << 20, STACK_BYTES = 64 << 10 };

static char **g_argv;
static int g_result;
static ucontext_t g_back;
static void *g_neighbour; // what stands above the coroutine

static void *map(int flags, int fd)
{
    return mmap(NULL, BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);
}

static void *foreign_pointer(const char *kind)
{
    if (strcmp(kind, "libc") == 0) {
        return __libc_malloc(100);
    }
    if (strcmp(kind, "libc-mmap") == 0) {
        return __libc_malloc(BYTES);
    }
    if (strcmp(kind, "shared") == 0) {
        return map(MAP_SHARED | MAP_ANONYMOUS, -1);
    }
    if (strcmp(kind, "memfd") == 0) {
        return map(MAP_PRIVATE, memfd_create("heap", 0));
    }
    if (strcmp(kind, "file") == 0) {
        return map(MAP_PRIVATE, open("/proc/self/exe", O_RDONLY));
    }
    return map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* A stack for a coroutine, in one mapping with the thread pointer, and the pointer between. */
static void *map_below_thread(void)
{
    uintptr_t top = (uintptr_t)__builtin_thread_pointer() & ~(uintptr_t)4095;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    for (uintptr_t at = top; top - at < 64 << 20; at -= 4096) {
        char *start = mmap((void *)(at - BYTES), BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
        if (start != MAP_FAILED) {
            g_neighbour = start + BYTES / 2;
            return start;
        }
    }
    return NULL;
}

static void operate(void)
{
    _Alignas(16) char on_stack[64];
    bool is_stack = strcmp(g_argv[1], "stack") == 0;
    void *volatile ptr = is_stack              ? on_stack
                         : g_neighbour != NULL ? g_neighbour
                                               : foreign_pointer(g_argv[1]);
    g_result = 0;
    if (strcmp(g_argv[2], "free") == 0) {
        for (int i = 0; i < 3; i++) {
            free(ptr);
        }
    } else if (strcmp(g_argv[2], "forwarded") == 0) {
        free(ptr);
    } else if (strcmp(g_argv[2], "moved") == 0) {
        memset(ptr, 7, 100);
        char *moved = realloc(ptr, 5000);
        g_result = moved == NULL || moved[99] != 7;
        free(moved);
    } else if (strcmp(g_argv[2], "realloc") == 0) {
        errno = 0;
        if (realloc(ptr, 200) != NULL || errno != ENOMEM) {
            g_result = 3;
        }
    } else if (malloc_usable_size(ptr) != 0) {
        g_result = 4;
    }
}

static void *operate_in_thread(void *unused)
{
    operate();
    return unused;
}

static void operate_in_coroutine(char *stack)
{
    ucontext_t coroutine;
    getcontext(&coroutine);
    coroutine.uc_stack.ss_sp = stack;
    coroutine.uc_stack.ss_size = STACK_BYTES;
    coroutine.uc_link = &g_back;
    makecontext(&coroutine, operate, 0);
    swapcontext(&g_back, &coroutine);
}

static void *start_coroutine(void *stack)
{
    operate_in_coroutine(stack);
    return NULL;
}

static void in_thread(void *run(void *), void *argument)
{
    pthread_t thread;
    pthread_create(&thread, NULL, run, argument);
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        return 2;
    }
    g_argv = argv;
    const char *place = argc > 3 ? argv[3] : "main";
    char *low = mmap((void *)(1UL << 32), STACK_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (strcmp(place, "thread") == 0) {
        in_thread(operate_in_thread, NULL);
    } else if (strcmp(place, "coroutine") == 0) {
        operate_in_coroutine(malloc(STACK_BYTES));
    } else if (strcmp(place, "low-coroutine") == 0) {
        operate_in_coroutine(low);
    } else if (strcmp(place, "merged-coroutine") == 0) {
        operate_in_coroutine(map_below_thread());
    } else if (strcmp(place, "thread-coroutine") == 0) {
        in_thread(start_coroutine, malloc(STACK_BYTES));
    } else {
        operate();
    }
    void *block = malloc(1000);
    free(block);
    return block == NULL ? 5 : g_result;
}
