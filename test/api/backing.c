/* backing.c - MYALLOC_CONF=backing:DIR: huge blocks lie in a file without a name, belong to one
 * process, and give their room on the disk back; what refuses costs one line. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/empty_name.h"
#include "support/harness.h"

static const char *g_directory;

/* A file system that has all it takes; NULL where there is none. */
static const char *good_place(void)
{
    static const char *const places[] = {"/tmp", "/dev/shm"};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        int fd = open(places[i], O_TMPFILE | O_RDWR, 0600);
        bool is_good = fd >= 0 && fallocate(fd, 0, 0, 4096) == 0;
        close(fd);
        if (is_good) {
            return places[i];
        }
    }
    return NULL;
}

/* Begins a claim: runs it again in a process whose library has the option. */
static void require_backing(const char *claim)
{
    g_directory = getenv("BACKING_TEST");
    if (g_directory != NULL) {
        return;
    }
    const char *place = good_place();
    if (place == NULL) {
        dprintf(STDOUT_FILENO, "# no file system here has unnamed files with room\n");
        exit(0);
    }
    char directory[100];
    char options[300];
    const char *others = getenv("MYALLOC_CONF");
    snprintf(directory, sizeof directory, "%s/backing." EMPTY_NAME, place);
    REQUIRE(mkdtemp(directory) != NULL);
    snprintf(options, sizeof options, "%s%sbacking:%s", others != NULL ? others : "",
             others != NULL ? "," : "", directory);
    setenv("MYALLOC_CONF", options, 1);
    setenv("BACKING_TEST", directory, 1);
    execl("/proc/self/exe", "backing", claim, (char *)NULL);
    REQUIRE(!"execl");
}

/* Nothing with a name may be left. */
static void end_claim(void)
{
    REQUIRE_EQUAL(rmdir(g_directory), 0);
}

#define BACKED(name)                                                                               \
    static void backed_##name(void);                                                               \
    TEST(name)                                                                                     \
    {                                                                                              \
        ONLY_LIBRARY();                                                                            \
        require_backing(#name);                                                                    \
        backed_##name();                                                                           \
        end_claim();                                                                               \
    }                                                                                              \
    static void backed_##name(void)

/* True when the memory at PTR is shared and of a file in our directory. */
static bool is_in_file(const void *ptr)
{
    static char text[1 << 18];
    int fd = open("/proc/self/maps", O_RDONLY);
    size_t used = 0;
    for (ssize_t got = 1; got > 0 && used < sizeof text - 1; used += (size_t)got) {
        got = read(fd, text + used, sizeof text - 1 - used);
        REQUIRE(got >= 0);
    }
    close(fd);
    text[used] = '\0';
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        unsigned long start;
        unsigned long end;
        REQUIRE(sscanf(line, "%lx-%lx", &start, &end) == 2);
        if ((uintptr_t)ptr >= start && (uintptr_t)ptr < end) {
            return strstr(line, " rw-s ") != NULL && strstr(line, g_directory) != NULL;
        }
    }
    return false;
}

/* Of the file, found by its descriptor; zeros when there is none. */
static struct stat file_status(void)
{
    struct stat status = {0};
    for (int fd = 3; fd < 1024; fd++) {
        char link[64];
        char target[300] = {0};
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (readlink(link, target, sizeof target - 1) > 0 && strstr(target, g_directory) != NULL) {
            REQUIRE_EQUAL(fstat(fd, &status), 0);
        }
    }
    return status;
}

static size_t disk_bytes(void)
{
    return (size_t)file_status().st_blocks * 512;
}

static char *filled(size_t bytes, unsigned seed)
{
    char *block = malloc(bytes);
    REQUIRE(block != NULL);
    block_fill(block, bytes, seed);
    return block;
}

BACKED(huge_blocks_lie_in_a_file_and_others_do_not)
{
    char *block = filled(5 * MIB, 1);
    char *large = filled(100 * KIB, 2);
    REQUIRE(is_in_file(block));
    REQUIRE(is_in_file(block + 5 * MIB - 1));
    REQUIRE(!is_in_file(large));
    REQUIRE(block_holds(block, 5 * MIB, 1));
    REQUIRE(malloc_usable_size(block) >= 5 * MIB);
    char *aligned = memalign(2 * MIB, 3 * MIB);
    REQUIRE(block_is_aligned(aligned, 2 * MIB));
    REQUIRE(is_in_file(aligned));
    block_fill(aligned, 3 * MIB, 3);
    REQUIRE(block_holds(block, 5 * MIB, 1));
    free(aligned);
    free(block);
    free(large);
}

BACKED(what_is_freed_goes_back_to_the_disk)
{
    void *blocks[8];
    for (unsigned i = 0; i < 8; i++) {
        blocks[i] = filled(8 * MIB, i);
    }
    REQUIRE(disk_bytes() >= 64 * MIB);
    for (unsigned i = 0; i < 8; i += 2) {
        free(blocks[i]);
    }
    REQUIRE(disk_bytes() >= 32 * MIB);
    REQUIRE(disk_bytes() <= 34 * MIB);
    for (unsigned i = 1; i < 8; i += 2) {
        REQUIRE(block_holds(blocks[i], 8 * MIB, i));
        free(blocks[i]);
    }
    REQUIRE(disk_bytes() <= MIB);
}

BACKED(the_file_is_no_longer_than_what_is_in_use_at_a_time)
{
    char *kept = filled(2 * MIB, 1);
    for (unsigned i = 0; i < 300; i++) {
        free(filled(2 * MIB + i % 7 * 100 * KIB, i));
    }
    REQUIRE((size_t)file_status().st_size <= 6 * MIB);
    REQUIRE(block_holds(kept, 2 * MIB, 1));
    free(kept);
}

BACKED(calloc_is_zero_where_another_block_was)
{
    for (unsigned i = 0; i < 10; i++) {
        free(filled(3 * MIB, i));
        char *block = calloc(3, MIB);
        REQUIRE(is_in_file(block));
        REQUIRE(block_is_zero(block, 3 * MIB));
        free(block);
    }
}

BACKED(realloc_keeps_the_contents_up_and_down)
{
    char *block = filled(2 * MIB, 7);
    char *between = filled(2 * MIB, 8);
    for (size_t bytes = 2 * MIB; bytes < 40 * MIB; bytes += MIB + 5000) {
        block = realloc(block, bytes);
        REQUIRE(block != NULL);
        REQUIRE(is_in_file(block + bytes - 1));
        REQUIRE(block_holds(block, 2 * MIB, 7));
        memset(block + 2 * MIB, 0x55, bytes - 2 * MIB);
    }
    REQUIRE(disk_bytes() >= 40 * MIB);
    block = realloc(block, 3 * MIB);
    REQUIRE(block_holds(block, 2 * MIB, 7));
    REQUIRE(block_holds(between, 2 * MIB, 8));
    REQUIRE(disk_bytes() <= 6 * MIB);
    free(between);
    block = realloc(block, 100);
    REQUIRE(block_holds(block, 100, 7));
    REQUIRE(disk_bytes() <= MIB);
}

/* Runs PART in a child and requires that it ends well. */
static void in_child(void (*part)(char **blocks), char **blocks)
{
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        part(blocks);
        _exit(0);
    }
    int status = -1;
    REQUIRE_EQUAL(waitpid(pid, &status, 0), pid);
    REQUIRE_EQUAL(status, 0);
}

enum { FORKED = 6 };

static void require_all(char **blocks, unsigned seed)
{
    for (unsigned i = 0; i < FORKED; i++) {
        REQUIRE(block_holds(blocks[i], 2 * MIB, seed + i));
    }
}

static void write_all(char **blocks, unsigned seed)
{
    for (unsigned i = 0; i < FORKED; i++) {
        block_fill(blocks[i], 2 * MIB, seed + i);
    }
}

static void write_and_check(char **blocks)
{
    require_all(blocks, 100);
    write_all(blocks, 900);
    char *own = filled(3 * MIB, 5);
    REQUIRE(is_in_file(own));
    require_all(blocks, 900);
    REQUIRE(block_holds(own, 3 * MIB, 5));
    blocks[1] = realloc(blocks[1], 5 * MIB);
    memset(blocks[1] + 2 * MIB, 1, 3 * MIB);
    free(blocks[2]);
    blocks[2] = filled(2 * MIB, 902);
    require_all(blocks, 900);
    for (unsigned i = 0; i < FORKED; i++) {
        free(blocks[i]);
    }
    free(own);
}

static void write_in_grandchild(char **blocks)
{
    in_child(write_and_check, blocks);
    write_and_check(blocks);
}

BACKED(parent_and_child_do_not_see_what_the_other_writes)
{
    char *blocks[FORKED];
    for (unsigned i = 0; i < FORKED; i++) {
        blocks[i] = filled(2 * MIB, 100 + i);
    }
    in_child(write_and_check, blocks);
    require_all(blocks, 100);
    in_child(write_in_grandchild, blocks);
    require_all(blocks, 100);
    write_and_check(blocks);
}

static void wait_and_check(char **blocks)
{
    char byte;
    int ends[2];
    memcpy(ends, blocks[FORKED], sizeof ends);
    REQUIRE_EQUAL(read(ends[0], &byte, 1), 1);
    require_all(blocks, 100);
}

/* The child looks after the parent wrote. */
BACKED(the_child_has_what_was_there_at_the_fork)
{
    char *blocks[FORKED + 1];
    int ends[2];
    REQUIRE_EQUAL(pipe(ends), 0);
    blocks[FORKED] = (char *)ends;
    for (unsigned i = 0; i < FORKED; i++) {
        blocks[i] = filled(2 * MIB, 100 + i);
    }
    pid_t pid = fork();
    if (pid == 0) {
        wait_and_check(blocks);
        _exit(0);
    }
    write_all(blocks, 300);
    REQUIRE_EQUAL(write(ends[1], "x", 1), 1);
    int status = -1;
    REQUIRE_EQUAL(waitpid(pid, &status, 0), pid);
    REQUIRE_EQUAL(status, 0);
    require_all(blocks, 300);
}

static _Atomic int g_stop;

/* Writes each word of the block in turn, and finds what it wrote a round before. */
static void *write_rounds(void *argument)
{
    volatile uint64_t *words = argument;
    for (uint64_t round = 1; g_stop == 0; round++) {
        for (size_t i = 0; i < 2 * MIB / 8; i += 64) {
            REQUIRE(words[i] == round - 1);
            words[i] = round;
        }
    }
    return NULL;
}

BACKED(no_write_of_another_thread_is_lost_at_a_fork)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        void *block = calloc(2, MIB);
        REQUIRE(is_in_file(block));
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, write_rounds, block), 0);
    }
    for (int i = 0; i < 100; i++) {
        char *more = filled(2 * MIB, 4);
        pid_t pid = fork();
        if (pid == 0) {
            _exit(block_holds(more, 2 * MIB, 4) ? 0 : 1);
        }
        int status = -1;
        REQUIRE_EQUAL(waitpid(pid, &status, 0), pid);
        REQUIRE_EQUAL(status, 0);
        free(more);
    }
    g_stop = 1;
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* As daemons do; another file may get the number. */
BACKED(a_program_that_closes_all_descriptors_loses_nothing)
{
    char *blocks[FORKED];
    for (unsigned i = 0; i < FORKED; i++) {
        blocks[i] = filled(2 * MIB, 100 + i);
    }
    char other[100];
    snprintf(other, sizeof other, "%s/other", g_directory);
    for (int fd = 3; fd < 1024; fd++) {
        close(fd);
    }
    for (int fd = 3; fd < 300; fd++) {
        REQUIRE_EQUAL(open(other, O_RDWR | O_CREAT, 0600), fd);
    }
    char *more = filled(2 * MIB, 9);
    REQUIRE(is_in_file(more));
    struct stat status;
    REQUIRE_EQUAL(stat(other, &status), 0);
    REQUIRE_EQUAL(status.st_size, 0);
    require_all(blocks, 100);
    in_child(write_and_check, blocks);
    require_all(blocks, 100);
    REQUIRE(block_holds(more, 2 * MIB, 9));
    write_and_check(blocks);
    REQUIRE_EQUAL(unlink(other), 0);
}

enum { WORKERS = 3, LIVES = 150 };

static void *live(void *argument)
{
    unsigned random = (unsigned)(uintptr_t)argument;
    char *blocks[4] = {0};
    size_t bytes[4] = {0};
    for (int i = 0; i < LIVES; i++) {
        random = random * 1664525U + 1013904223U;
        size_t at = (random >> 8) % 4;
        size_t now = MIB + MIB / 8 + (random >> 12) % (2 * MIB);
        if (blocks[at] != NULL) {
            REQUIRE(block_holds(blocks[at], 3000, (unsigned)at));
            REQUIRE(blocks[at][bytes[at] - 1] == (char)at);
        }
        if (random % 3 == 0) {
            free(blocks[at]);
            blocks[at] = NULL;
            continue;
        }
        blocks[at] = realloc(blocks[at], now);
        REQUIRE(blocks[at] != NULL);
        block_fill(blocks[at], 3000, (unsigned)at);
        bytes[at] = now;
        blocks[at][now - 1] = (char)at;
    }
    for (int at = 0; at < 4; at++) {
        free(blocks[at]);
    }
    return NULL;
}

BACKED(threads_share_the_file)
{
    pthread_t threads[WORKERS];
    for (uintptr_t i = 0; i < WORKERS; i++) {
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, live, (void *)(i + 3)), 0);
    }
    for (int i = 0; i < 20; i++) {
        char *block = filled(2 * MIB, 1);
        pid_t pid = fork();
        if (pid == 0) {
            live((void *)77);
            _exit(block_holds(block, 2 * MIB, 1) ? 0 : 1);
        }
        int status = -1;
        REQUIRE_EQUAL(waitpid(pid, &status, 0), pid);
        REQUIRE_EQUAL(status, 0);
        free(block);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* Takes three huge blocks, and requires exactly this one line on stderr. */
static void require_line(const char *reason, size_t bytes)
{
    int words = memfd_create("words", 0);
    int kept = dup(STDERR_FILENO);
    REQUIRE(words >= 0);
    REQUIRE(dup2(words, STDERR_FILENO) >= 0);
    char *blocks[3];
    for (unsigned i = 0; i < 3; i++) {
        blocks[i] = filled(bytes, i);
    }
    dup2(kept, STDERR_FILENO);
    for (unsigned i = 0; i < 3; i++) {
        REQUIRE(block_holds(blocks[i], bytes, i));
        REQUIRE(i == 0 || !is_in_file(blocks[i]));
        blocks[i] = realloc(blocks[i], bytes + 2 * MIB);
        REQUIRE(block_holds(blocks[i], bytes, i));
        free(blocks[i]);
    }
    char expected[300];
    char actual[300] = {0};
    snprintf(expected, sizeof expected, "myalloc: backing:%s: %s; using anonymous memory\n",
             g_directory, reason);
    REQUIRE(pread(words, actual, sizeof actual - 1, 0) >= 0);
    dprintf(STDOUT_FILENO, "# %s", actual);
    REQUIRE(strcmp(actual, expected) == 0);
}

BACKED(a_limit_on_files_costs_one_line_and_no_signal)
{
    const struct rlimit limit = {3 * MIB, 3 * MIB};
    REQUIRE_EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
    require_line("file size limit", 4 * MIB);
}

BACKED(a_directory_that_is_gone_costs_one_line)
{
    REQUIRE_EQUAL(rmdir(g_directory), 0);
    require_line("no such directory", 2 * MIB);
    REQUIRE_EQUAL(mkdir(g_directory, 0700), 0);
}

BACKED(a_directory_without_permission_costs_one_line)
{
    if (geteuid() == 0) {
        REQUIRE_EQUAL(seteuid(65534), 0);
    } else {
        REQUIRE_EQUAL(chmod(g_directory, 0500), 0);
    }
    require_line("no permission", 2 * MIB);
    (void)!seteuid(getuid());
    REQUIRE_EQUAL(chmod(g_directory, 0700), 0);
}

/* A small file system of its own, where we may mount one. */
BACKED(a_full_disk_costs_one_line_and_no_signal)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", g_directory, "tmpfs", 0, "size=6m") != 0) {
        dprintf(STDOUT_FILENO, "# no right to mount a small file system\n");
        return;
    }
    require_line("disk full", 4 * MIB);
    /* There is room again: the next block lies in the file, and nothing is said. */
    char *block = filled(4 * MIB, 1);
    REQUIRE(is_in_file(block));
    free(block);
    REQUIRE_EQUAL(umount2(g_directory, MNT_DETACH), 0);
}
