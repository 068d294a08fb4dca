/* test_options.c - MYALLOC_CONF: mistakes cost a line, never the program. */
#include "base/options.h"
#include "base/config.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

/* Parses TEXT over the defaults; what it says on stderr goes to WORDS. */
static struct options parse(const char *text, char *words, size_t bytes_max)
{
    int ends[2];
    struct options options = g_options;
    int saved = dup(STDERR_FILENO);
    cr_assert_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    options_parse(text, &options);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t got = read(ends[0], words, bytes_max - 1);
    words[got > 0 ? got : 0] = '\0';
    close(ends[0]);
    return options;
}

Test(options, good_values_are_taken_silently)
{
    char words[1024];
    struct options options =
        parse("brk:0,fit:segregated,foreign:abort,top_pad_bytes:4096", words, sizeof words);
    cr_assert_str_eq(words, "");
    cr_assert_eq(options.brk, 0);
    cr_assert_eq(options.fit, 2);
    cr_assert_eq(options.foreign, FOREIGN_ABORT);
    cr_assert_eq(options.top_pad_bytes, 4096);
}

Test(options, an_unknown_key_is_named_with_the_nearest)
{
    char words[1024];
    parse("ft:best", words, sizeof words);
    cr_assert_str_eq(words, "myalloc: MYALLOC_CONF: unknown key 'ft', did you mean 'fit'?\n");
}

Test(options, a_bad_value_is_named_with_the_good_ones)
{
    char words[1024];
    struct options options = parse("fit:x", words, sizeof words);
    cr_assert_str_eq(words,
                     "myalloc: MYALLOC_CONF: bad value 'x' for 'fit' (first|best|segregated)\n");
    cr_assert_eq(options.fit, g_options.fit);
}

Test(options, numbers_out_of_range_leave_the_default)
{
    const char *const texts[] = {"brk:2", "brk:-1", "brk:", "brk:0x", "brk:18446744073709551617"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char words[1024];
        struct options options = parse(texts[i], words, sizeof words);
        cr_assert_eq(options.brk, g_options.brk, "%s", texts[i]);
        cr_assert_eq(strchr(words, '\n'), words + strlen(words) - 1, "%s", texts[i]);
    }
}

Test(options, numbers_have_units)
{
    char words[1024];
    const char *const good = "top_pad_bytes:64k,huge_bytes:3M";
    struct options options = parse(good, words, sizeof words);
    cr_assert_str_eq(words, "");
    cr_assert_eq(options.top_pad_bytes, 64 << 10);
    cr_assert_eq(options.huge_bytes, 3 << 20);
    const char *const bad[] = {"top_pad_bytes:4q", "top_pad_bytes:4kk", "top_pad_bytes:k",
                               "top_pad_bytes:1152921504606846975g"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        options = parse(bad[i], words, sizeof words);
        cr_assert_eq(options.top_pad_bytes, g_options.top_pad_bytes, "%s", bad[i]);
        cr_assert_neq(words[0], '\0', "%s", bad[i]);
    }
}

Test(options, options_behind_a_mistake_still_count)
{
    char words[1024];
    struct options options = parse("ft:1,brk:0", words, sizeof words);
    cr_assert_eq(options.brk, 0);
}

/* Nothing that an environment can hold may crash a program. */
Test(options, any_text_is_survived)
{
    unsigned state = 1;
    for (int round = 0; round < 300; round++) {
        char text[64];
        char words[8192];
        for (size_t i = 0; i < sizeof text - 1; i++) {
            state = state * 1103515245 + 12345;
            text[i] = "brk:fit,01x best"[(state >> 16) % 16];
        }
        text[sizeof text - 1] = '\0';
        parse(text, words, sizeof words);
    }
}
