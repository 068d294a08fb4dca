/* patched_calls.c CALL - what RDMA stacks do to keep their caches of registered memory true:
 * patches the code of a call in libc. Exits 0 when the page that went away was announced.
 *
 * CALL is munmap, madvise, mremap or sbrk: which way the freed memory goes.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HUGE = 64 << 20, STEP = 4096, PIECE = 32 << 10, PIECES = 1000, HEARD_MAX = 100000 };

static struct {
    uintptr_t start, end;
} g_heard[HEARD_MAX]; // what went away
static int g_heard_count;

static void hear(const void *start, size_t bytes)
{
    if (g_heard_count < HEARD_MAX) {
        g_heard[g_heard_count].start = (uintptr_t)start;
        g_heard[g_heard_count++].end = (uintptr_t)start + bytes;
    }
}

static bool was_heard(uintptr_t page)
{
    for (int i = 0; i < g_heard_count; i++) {
        if (g_heard[i].start <= page && page < g_heard[i].end) {
            return true;
        }
    }
    return false;
}

static long raw(long number, long a, long b, long c, long d)
{
    register long fourth __asm__("r10") = d;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
                     : "rcx", "r11", "memory");
    return result;
}

static int on_munmap(void *start, size_t bytes)
{
    hear(start, bytes);
    return (int)raw(SYS_munmap, (long)start, (long)bytes, 0, 0);
}

static int on_madvise(void *start, size_t bytes, int advice)
{
    hear(start, bytes);
    return (int)raw(SYS_madvise, (long)start, (long)bytes, advice, 0);
}

static void *on_mremap(void *start, size_t old_bytes, size_t new_bytes, int flags)
{
    hear(start, old_bytes);
    long at = raw(SYS_mremap, (long)start, (long)old_bytes, (long)new_bytes, flags);
    return at < 0 && at > -STEP ? MAP_FAILED : (void *)at;
}

static void *on_sbrk(intptr_t bytes)
{
    long at = raw(SYS_brk, 0, 0, 0, 0);
    if (bytes < 0) {
        hear((const void *)(at + bytes), (size_t)-bytes);
    }
    return raw(SYS_brk, at + bytes, 0, 0, 0) == at + bytes ? (void *)at : MAP_FAILED;
}

/* mov rax, to; jmp rax */
static void patch(const char *name, void *to)
{
    unsigned char *at = dlsym(RTLD_NEXT, name);
    uintptr_t page = (uintptr_t)at & ~(uintptr_t)(STEP - 1);
    raw(SYS_mprotect, (long)page, 2L * STEP, PROT_READ | PROT_WRITE | PROT_EXEC, 0);
    memcpy(at, (unsigned char[]){0x48, 0xb8}, 2);
    memcpy(at + 2, &to, sizeof to);
    memcpy(at + 10, (unsigned char[]){0xff, 0xe0}, 2);
}

/* True when the page in the middle is there and in memory, or was announced. */
static bool is_true(const char *start, size_t bytes)
{
    unsigned char in_memory = 0;
    uintptr_t page = ((uintptr_t)start + bytes / 2) & ~(uintptr_t)(STEP - 1);
    bool is_mapped = raw(SYS_mincore, (long)page, STEP, (long)&in_memory, 0) == 0;
    bool is_there = is_mapped && (in_memory & 1) != 0;
    printf("in memory: %d, announced: %d of %d calls\n", is_there, was_heard(page), g_heard_count);
    return is_there || was_heard(page);
}

static bool frees_huge(void)
{
    char *block = malloc(HUGE);
    memset(block, 1, HUGE);
    free(block);
    malloc_trim(0);
    return is_true(block, HUGE);
}

/* Something stands behind a huge block, so that it must move to grow. */
static bool moves_huge(void)
{
    char *block = malloc(HUGE);
    memset(block, 1, HUGE);
    uintptr_t behind = ((uintptr_t)block + HUGE + STEP) & ~(uintptr_t)(STEP - 1);
    mmap((void *)behind, STEP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *moved = realloc(block, (size_t)2 * HUGE);
    return moved != block && is_true(block, HUGE);
}

/* Free memory in the middle of the heap, or at its end. */
static bool frees_heap(bool is_end)
{
    static char *pieces[PIECES];
    for (int i = 0; i < PIECES; i++) {
        pieces[i] = malloc(PIECE);
        memset(pieces[i], 1, PIECE);
    }
    char *middle = pieces[PIECES / 2];
    for (int i = is_end ? 0 : 1; i < PIECES - !is_end; i++) {
        free(pieces[i]);
    }
    malloc_trim(0);
    return is_true(middle, PIECE);
}

int main(int argc, char **argv)
{
    const char *call = argc == 2 ? argv[1] : "";
    free(malloc(100));
    bool is_munmap = strcmp(call, "munmap") == 0;
    patch("munmap", (void *)on_munmap);
    if (!is_munmap) { // else a purge before would have announced the page
        patch("madvise", (void *)on_madvise);
        patch("mremap", (void *)on_mremap);
        patch("sbrk", (void *)on_sbrk);
    }
    bool is_mremap = strcmp(call, "mremap") == 0;
    bool is_told = is_munmap   ? frees_huge()
                   : is_mremap ? moves_huge()
                               : frees_heap(strcmp(call, "sbrk") == 0);
    return is_told ? 0 : 1;
}
