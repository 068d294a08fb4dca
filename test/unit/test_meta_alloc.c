/* test_meta_alloc.c - memory for our own structures. */
#include "base/meta_alloc.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

/* Structures rely on zero as their first state, and on lines of their own. */
Test(meta_alloc, pieces_are_zero_aligned_and_apart)
{
    enum { COUNT = 1000 };
    static char *pieces[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        size_t bytes = 8 + i * 13 % 5000;
        pieces[i] = meta_alloc(bytes);
        cr_assert_not_null(pieces[i]);
        cr_assert_eq((uintptr_t)pieces[i] % 64, 0);
        for (size_t at = 0; at < bytes; at++) {
            cr_assert_eq(pieces[i][at], 0);
        }
        memset(pieces[i], (int)(i % 251 + 1), bytes);
    }
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert_eq(pieces[i][0], (char)(i % 251 + 1));
    }
}
