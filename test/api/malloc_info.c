/* malloc_info.c - malloc_info(3) and malloc_stats(3). */
#include <ctype.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/harness.h"
#include "support/outcome.h"

enum { TAG_DEPTH_MAX = 32, TAG_BYTES_MAX = 64, XML_BYTES_MAX = 1 << 20 };

struct open_tags {
    size_t count;
    char names[TAG_DEPTH_MAX][TAG_BYTES_MAX];
};

static void tag_name(char *name, const char *tag)
{
    size_t bytes = strcspn(tag, " \t\n/>");
    REQUIRE(bytes > 0 && bytes < TAG_BYTES_MAX && isalpha((unsigned char)tag[0]));
    memcpy(name, tag, bytes);
    name[bytes] = '\0';
}

/* Follows one tag, TAG pointing behind its '<' and END to its '>'. */
static void follow_tag(struct open_tags *open, const char *tag, const char *end)
{
    char name[TAG_BYTES_MAX];
    if (*tag == '/') {
        tag_name(name, tag + 1);
        REQUIRE(open->count > 0);
        REQUIRE(strcmp(open->names[--open->count], name) == 0);
        return;
    }
    size_t quotes = 0;
    for (const char *at = tag; at < end; at++) {
        quotes += *at == '"' ? 1 : 0;
    }
    REQUIRE(quotes % 2 == 0);
    tag_name(name, tag);
    if (end[-1] != '/') {
        REQUIRE(open->count < TAG_DEPTH_MAX);
        memcpy(open->names[open->count++], name, sizeof name);
    }
}

static void require_well_formed(const char *xml)
{
    struct open_tags open = {0};
    size_t tag_count = 0;
    for (const char *at = strchr(xml, '<'); at != NULL; at = strchr(at, '<')) {
        const char *end = strchr(at, '>');
        REQUIRE(end != NULL);
        if (at[1] != '?') {
            follow_tag(&open, at + 1, end);
            tag_count++;
        }
        at = end;
    }
    REQUIRE_EQUAL(open.count, 0);
    REQUIRE(tag_count > 2);
}

TEST(malloc_info_writes_well_formed_xml)
{
    static char xml[XML_BYTES_MAX];
    void *blocks[] = {malloc(10), malloc(5000), malloc(100000), malloc(5000000)};
    FILE *file = fmemopen(xml, sizeof xml, "w");
    REQUIRE(file != NULL);
    REQUIRE_EQUAL(malloc_info(0, file), 0);
    fclose(file);
    REQUIRE(strncmp(xml, "<malloc version=\"1\">", 20) == 0);
    require_well_formed(xml);
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        free(blocks[i]);
    }
}

/* The sum of an attribute of all sizes. */
static size_t sum_of_sizes(const char *xml, const char *attribute)
{
    size_t sum = 0;
    for (const char *at = strstr(xml, "<size "); at != NULL; at = strstr(at + 1, "<size ")) {
        const char *value = strstr(at, attribute);
        REQUIRE(value != NULL);
        sum += strtoul(value + strlen(attribute), NULL, 10);
    }
    return sum;
}

/* Programs that read glibc's form add up what is free there. */
TEST(malloc_info_counts_free_memory_by_size)
{
    enum { BLOCKS = 2000, BYTES = 1000 };
    ONLY_LIBRARY();
    static char xml[XML_BYTES_MAX];
    static void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        REQUIRE((blocks[i] = malloc(BYTES)) != NULL);
    }
    FILE *file = fmemopen(xml, sizeof xml, "w");
    REQUIRE(file != NULL);
    REQUIRE_EQUAL(malloc_info(0, file), 0);
    fclose(file);
    REQUIRE(sum_of_sizes(xml, "live=\"") >= BLOCKS);
    REQUIRE(sum_of_sizes(xml, "count=\"") < BLOCKS);
    REQUIRE(sum_of_sizes(xml, "total=\"") < BLOCKS * BYTES);
    REQUIRE_EQUAL(sum_of_sizes(xml, "count=\""), sum_of_sizes(xml, "cached=\""));
    for (size_t i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
}

TEST(malloc_info_refuses_options)
{
    REQUIRE_EQUAL(malloc_info(1, stdout), EINVAL);
}

static void print_statistics(void *unused)
{
    (void)unused;
    free(malloc(100));
    malloc_stats();
}

TEST(malloc_stats_writes_to_the_standard_error)
{
    struct outcome outcome;
    outcome_of_function(&outcome, print_statistics, NULL, STDERR_FILENO);
    REQUIRE_EQUAL(outcome.status, 0);
    REQUIRE(strlen(outcome.text) > 20);
    REQUIRE(strstr(outcome.text, "in use bytes") != NULL);
}

TEST(malloc_stats_writes_nothing_to_the_standard_output)
{
    struct outcome outcome;
    REQUIRE(freopen("/dev/null", "w", stderr) != NULL);
    outcome_of_function(&outcome, print_statistics, NULL, STDOUT_FILENO);
    REQUIRE_EQUAL(outcome.status, 0);
    REQUIRE_EQUAL(strlen(outcome.text), 0);
}
