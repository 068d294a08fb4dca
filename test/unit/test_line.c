/* test_line.c - the text of messages, built without malloc. */
#include "base/line.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* The texts are a contract: other tests compare them byte by byte. */
Test(line, numbers_are_written_as_printf_writes_them)
{
    const uint64_t numbers[] = {0, 1, 9, 10, 4096, UINT64_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct line line = {.used = 0};
        char expected[64];
        line_add_number(&line, numbers[i]);
        line_add(&line, " ");
        line_add_hex(&line, numbers[i]);
        int bytes = snprintf(expected, sizeof expected, "%lu 0x%lx", numbers[i], numbers[i]);
        cr_assert_eq(line.used, (size_t)bytes);
        cr_assert_arr_eq(line.text, expected, (size_t)bytes);
    }
}

/* LINE-1: A long program path must not run over the stack of a dying program. */
Test(line, what_does_not_fit_is_cut_off)
{
    struct line line = {.used = 0};
    for (int i = 0; i < 1000; i++) {
        line_add(&line, "0123456789");
        cr_assert_leq(line.used, sizeof line.text);
    }
}

/* The line goes out whole and in one piece, and errno survives a closed descriptor. */
Test(line, a_written_line_ends_with_a_newline_and_keeps_errno)
{
    int ends[2];
    char text[64] = {0};
    struct line line = {.used = 0};
    cr_assert_eq(pipe(ends), 0);
    line_add(&line, "a line");
    line_write(&line, ends[1]);
    cr_assert_eq(read(ends[0], text, sizeof text), 7);
    cr_assert_str_eq(text, "a line\n");
    errno = 77;
    line_add(&line, "lost");
    line_write(&line, -1);
    cr_assert_eq(errno, 77);
}
