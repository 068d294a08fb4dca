/* by_address.h - the order of qsort for pointers to blocks. */
#ifndef TEST_SUPPORT_BY_ADDRESS_H
#define TEST_SUPPORT_BY_ADDRESS_H

#include <stdint.h>

static inline int by_address(const void *one, const void *other)
{
    uintptr_t a = (uintptr_t) * (char *const *)one;
    uintptr_t b = (uintptr_t) * (char *const *)other;
    return (a > b) - (a < b);
}

#endif
