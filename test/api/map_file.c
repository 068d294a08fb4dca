/* map_file.c - myalloc_map_file, _sync, _grow, myalloc_unmap_file: files as memory. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/empty_name.h"
#include "support/extensions.h"
#include "support/harness.h"

static char g_directory[64];
static char g_path[100];

static void begin(void)
{
    snprintf(g_directory, sizeof g_directory, "/tmp/map_file." EMPTY_NAME);
    REQUIRE(mkdtemp(g_directory) != NULL);
    snprintf(g_path, sizeof g_path, "%s/file", g_directory);
}

static void end(void)
{
    (void)unlink(g_path);
    REQUIRE_EQUAL(rmdir(g_directory), 0);
}

static void write_file(const char *text)
{
    int fd = open(g_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(fd >= 0);
    REQUIRE_EQUAL(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static size_t read_file(char *text, size_t bytes_max)
{
    int fd = open(g_path, O_RDONLY);
    ssize_t got = read(fd, text, bytes_max);
    REQUIRE(got >= 0);
    close(fd);
    return (size_t)got;
}

static size_t file_bytes(void)
{
    struct stat status;
    REQUIRE_EQUAL(stat(g_path, &status), 0);
    return (size_t)status.st_size;
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

TEST(a_file_is_mapped_to_read)
{
    ONLY_LIBRARY();
    begin();
    write_file("some words");
    size_t before = open_descriptors();
    size_t bytes = SIZE_MAX; // a mapping to read only stores it
    const char *map = myalloc_map_file(g_path, &bytes, 0);
    REQUIRE(map != NULL);
    REQUIRE_EQUAL(bytes, 10);
    REQUIRE(memcmp(map, "some words", 10) == 0);
    REQUIRE_EQUAL(open_descriptors(), before);
    REQUIRE_EQUAL(myalloc_unmap_file((void *)map), 0);
    errno = 0;
    REQUIRE_EQUAL(myalloc_unmap_file((void *)map), -1);
    REQUIRE_EQUAL(errno, EINVAL);
    end();
}

TEST(a_mapping_to_read_cannot_be_written_to)
{
    ONLY_LIBRARY();
    begin();
    write_file("x");
    size_t bytes = 0;
    char *map = myalloc_map_file(g_path, &bytes, 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        *(volatile char *)map = 'y';
        _exit(0);
    }
    int status = 0;
    REQUIRE_EQUAL(waitpid(pid, &status, 0), pid);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE_EQUAL(WTERMSIG(status), SIGSEGV);
    errno = 0;
    REQUIRE(myalloc_map_grow(map, 100) == NULL);
    REQUIRE_EQUAL(errno, EINVAL);
    end();
}

TEST(what_is_stored_is_in_the_file)
{
    ONLY_LIBRARY();
    begin();
    size_t bytes = 10000;
    char *map = myalloc_map_file(g_path, &bytes, MYALLOC_MAP_WRITE);
    REQUIRE(map != NULL);
    REQUIRE_EQUAL(bytes, 10000);
    REQUIRE_EQUAL(file_bytes(), 10000);
    REQUIRE(block_is_zero(map, bytes));
    block_fill(map, bytes, 4);
    REQUIRE_EQUAL(myalloc_map_sync(map), 0);
    char text[10001];
    REQUIRE_EQUAL(read_file(text, sizeof text), 10000);
    REQUIRE(block_holds(text, 10000, 4));
    REQUIRE_EQUAL(myalloc_unmap_file(map), 0);
    size_t again = 0;
    map = myalloc_map_file(g_path, &again, MYALLOC_MAP_WRITE);
    REQUIRE_EQUAL(again, 10000);
    REQUIRE(block_holds(map, 10000, 4));
    REQUIRE_EQUAL(myalloc_unmap_file(map), 0);
    end();
}

TEST(a_mapping_grows_with_its_file)
{
    ONLY_LIBRARY();
    begin();
    size_t before = open_descriptors();
    size_t bytes = 100;
    char *map = myalloc_map_file(g_path, &bytes, MYALLOC_MAP_WRITE);
    block_fill(map, 100, 5);
    for (size_t more = 5000; more < 20 * MIB; more *= 3) {
        map = myalloc_map_grow(map, more);
        REQUIRE(map != NULL);
        REQUIRE_EQUAL(file_bytes(), more);
        REQUIRE(block_holds(map, 100, 5));
        REQUIRE_EQUAL(map[more - 1], 0);
        map[more - 1] = 'x';
    }
    struct stat status;
    REQUIRE_EQUAL(stat(g_path, &status), 0);
    REQUIRE(status.st_blocks * 512 >= status.st_size); /* no later store can lack room */
    errno = 0;
    REQUIRE(myalloc_map_grow(map, 100) == NULL);
    REQUIRE_EQUAL(errno, EINVAL);
    REQUIRE_EQUAL(myalloc_unmap_file(map), 0);
    REQUIRE_EQUAL(open_descriptors(), before);
    end();
}

/* Mappings of this file in this process. */
static size_t mappings(void)
{
    char line[600];
    size_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    REQUIRE(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        count += strstr(line, g_path) != NULL;
    }
    REQUIRE_EQUAL(fclose(maps), 0);
    return count;
}

static void require_part(size_t offset, size_t asked, size_t got)
{
    size_t bytes = asked;
    char *part = myalloc_map_part(g_path, offset, &bytes, 0);
    REQUIRE(part != NULL);
    REQUIRE_EQUAL(bytes, got);
    for (size_t i = 0; i < got; i++) {
        REQUIRE_EQUAL(part[i], 'a' + (int)((offset + i) % 26));
    }
    REQUIRE_EQUAL(myalloc_unmap_file(part), 0);
    REQUIRE_EQUAL(mappings(), 0);
}

TEST(a_part_of_a_file_begins_at_any_offset)
{
    ONLY_LIBRARY();
    begin();
    static char text[150001];
    for (size_t i = 0; i < 150000; i++) {
        text[i] = (char)('a' + i % 26);
    }
    write_file(text);
    require_part(0, 0, 150000);
    require_part(0, 10, 10);
    require_part(1, 4096, 4096);
    require_part(65536, 3, 3);
    require_part(70001, 0, 79999);
    require_part(70001, 200000, 79999); /* it ends there */
    require_part(149999, 5, 1);
    errno = 0;
    size_t bytes = 5;
    REQUIRE(myalloc_map_part(g_path, 150000, &bytes, 0) == NULL);
    REQUIRE_EQUAL(errno, ENODATA);
    bytes = 0;
    REQUIRE(myalloc_map_part(g_path, SIZE_MAX, &bytes, 0) == NULL);
    REQUIRE_EQUAL(errno, ENODATA);
    REQUIRE_EQUAL(file_bytes(), 150000);
    end();
}

TEST(a_part_that_writes_lies_where_it_should_and_grows)
{
    ONLY_LIBRARY();
    begin();
    write_file("head");
    size_t before = open_descriptors();
    size_t bytes = 500;
    char *part = myalloc_map_part(g_path, 10001, &bytes, MYALLOC_MAP_WRITE);
    REQUIRE(part != NULL);
    REQUIRE_EQUAL(bytes, 500);
    REQUIRE_EQUAL(file_bytes(), 10501);
    REQUIRE(block_is_zero(part, 500));
    block_fill(part, 500, 8);
    REQUIRE_EQUAL(myalloc_map_sync(part), 0);
    part = myalloc_map_grow(part, 300000);
    REQUIRE(part != NULL);
    REQUIRE_EQUAL(file_bytes(), 310001);
    REQUIRE(block_holds(part, 500, 8));
    part[299999] = 'z';
    REQUIRE_EQUAL(myalloc_unmap_file(part), 0);
    REQUIRE_EQUAL(mappings(), 0);
    REQUIRE_EQUAL(open_descriptors(), before);
    static char text[310002];
    REQUIRE_EQUAL(read_file(text, sizeof text), 310001);
    REQUIRE(memcmp(text, "head", 4) == 0);
    REQUIRE(block_is_zero(text + 4, 9997));
    REQUIRE(block_holds(text + 10001, 500, 8));
    REQUIRE_EQUAL(text[310000], 'z');
    end();
}

TEST(a_part_that_no_file_can_have_is_refused)
{
    ONLY_LIBRARY();
    begin();
    write_file("head");
    static const struct {
        size_t offset, bytes;
        int error;
    } parts[] = {
        {SIZE_MAX, 1, EFBIG},
        {1, SIZE_MAX, EFBIG},
        {4, 0, ENODATA}, /* to the end of the file */
        {5000, 0, ENODATA},
    };
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        size_t bytes = parts[i].bytes;
        errno = 0;
        REQUIRE(myalloc_map_part(g_path, parts[i].offset, &bytes, MYALLOC_MAP_WRITE) == NULL);
        REQUIRE_EQUAL(errno, parts[i].error);
        REQUIRE_EQUAL(file_bytes(), 4);
    }
    size_t bytes = 100;
    char *part = myalloc_map_part(g_path, 1, &bytes, MYALLOC_MAP_WRITE);
    block_fill(part, 100, 1);
    errno = 0;
    REQUIRE(myalloc_map_grow(part, SIZE_MAX) == NULL); /* one more would be 0 */
    REQUIRE_EQUAL(errno, EFBIG);
    REQUIRE(block_holds(part, 100, 1));
    REQUIRE_EQUAL(myalloc_unmap_file(part), 0);
    end();
}

TEST(a_child_shares_what_is_shared)
{
    ONLY_LIBRARY();
    begin();
    size_t bytes = 4096;
    char *map = myalloc_map_file(g_path, &bytes, MYALLOC_MAP_WRITE);
    pid_t pid = fork();
    if (pid == 0) {
        strcpy(map, "of the child");
        map = myalloc_map_grow(map, 3 * 65536);
        _exit(map != NULL && myalloc_unmap_file(map) == 0 ? 0 : 1);
    }
    int status = -1;
    REQUIRE_EQUAL(waitpid(pid, &status, 0), pid);
    REQUIRE_EQUAL(status, 0);
    REQUIRE(strcmp(map, "of the child") == 0);
    map = myalloc_map_grow(map, 65536);
    REQUIRE(map != NULL);
    REQUIRE_EQUAL(file_bytes(), 3 * 65536); /* it was longer already */
    REQUIRE_EQUAL(myalloc_unmap_file(map), 0);
    end();
}

static void require_refused(const char *path, unsigned flags, int error)
{
    size_t bytes = 5;
    errno = 0;
    REQUIRE(myalloc_map_file(path, &bytes, flags) == NULL);
    REQUIRE_EQUAL(errno, error);
    REQUIRE_EQUAL(bytes, 5);
}

static int count_block(const struct myalloc_block *block, void *count)
{
    (void)block;
    ++*(int *)count;
    return 0;
}

/* libc's malloc serves it; files are mapped all the same, and nothing else of ours begins. */
TEST(a_program_that_is_excluded_maps_files_and_has_no_pools)
{
    ONLY_LIBRARY();
    if (getenv("MYALLOC_EXCLUDE") == NULL) {
        setenv("MYALLOC_EXCLUDE", "exe", 1);
        execl("/proc/self/exe", "exe", "a_program_that_is_excluded_maps_files_and_has_no_pools",
              (char *)NULL);
    }
    begin();
    size_t bytes = 1000;
    int blocks = 0;
    char *map = myalloc_map_file(g_path, &bytes, MYALLOC_MAP_WRITE);
    REQUIRE(map != NULL);
    errno = 0;
    REQUIRE(myalloc_pool_create(0, 0) == NULL);
    REQUIRE_EQUAL(errno, ENOTSUP);
    REQUIRE_EQUAL(myalloc_walk(count_block, &blocks), 0);
    REQUIRE_EQUAL(blocks, 0);
    for (size_t i = 1; i < 3 * MIB; i *= 2) {
        char *block = malloc(i);
        REQUIRE(block != NULL);
        block_fill(block, i, 1);
        free(block);
    }
    REQUIRE_EQUAL(myalloc_unmap_file(map), 0);
    end();
}

TEST(what_fails_tells_its_errno)
{
    ONLY_LIBRARY();
    begin();
    require_refused(g_path, 0, ENOENT);
    require_refused(g_path, 8, EINVAL);
    require_refused(g_directory, MYALLOC_MAP_WRITE, EISDIR);
    require_refused(NULL, 0, EFAULT);
    REQUIRE(myalloc_map_file(g_path, NULL, 0) == NULL);
    write_file("");
    require_refused(g_path, 0, ENODATA);
    if (geteuid() == 0) {
        REQUIRE_EQUAL(seteuid(65534), 0);
    } else {
        REQUIRE_EQUAL(chmod(g_path, 0), 0);
    }
    require_refused(g_path, MYALLOC_MAP_WRITE, EACCES);
    (void)!seteuid(getuid());
    char here;
    errno = 0;
    REQUIRE_EQUAL(myalloc_map_sync(&here), -1);
    REQUIRE_EQUAL(errno, EINVAL);
    REQUIRE_EQUAL(myalloc_map_sync(NULL), -1);
    REQUIRE_EQUAL(myalloc_unmap_file(NULL), -1);
    REQUIRE(myalloc_map_grow(NULL, 5) == NULL);
    end();
}

TEST(a_limit_on_files_is_an_error_and_no_signal)
{
    ONLY_LIBRARY();
    begin();
    const struct rlimit limit = {MIB, MIB};
    size_t bytes = 1000;
    char *map = myalloc_map_file(g_path, &bytes, MYALLOC_MAP_WRITE);
    block_fill(map, 1000, 6);
    REQUIRE_EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
    errno = 0;
    REQUIRE(myalloc_map_grow(map, 2 * MIB) == NULL);
    REQUIRE_EQUAL(errno, EFBIG);
    REQUIRE(block_holds(map, 1000, 6));
    REQUIRE_EQUAL(myalloc_unmap_file(map), 0);
    end();
}

/* FILES-1 */
TEST(a_descriptor_that_was_closed_and_means_another_file_is_not_used)
{
    ONLY_LIBRARY();
    begin();
    size_t bytes = 1000;
    char *map = myalloc_map_file(g_path, &bytes, MYALLOC_MAP_WRITE);
    for (int fd = 3; fd < 1024; fd++) {
        close(fd);
    }
    char other[120];
    snprintf(other, sizeof other, "%s/other", g_directory);
    for (int fd = 3; fd < 300; fd++) {
        REQUIRE_EQUAL(open(other, O_RDWR | O_CREAT, 0600), fd);
    }
    errno = 0;
    REQUIRE(myalloc_map_grow(map, 5000) == NULL);
    REQUIRE_EQUAL(errno, EBADF);
    REQUIRE_EQUAL(myalloc_unmap_file(map), 0);
    REQUIRE_EQUAL(open_descriptors(), 300);
    struct stat status;
    REQUIRE_EQUAL(stat(other, &status), 0);
    REQUIRE_EQUAL(status.st_size, 0);
    REQUIRE_EQUAL(unlink(other), 0);
    end();
}
