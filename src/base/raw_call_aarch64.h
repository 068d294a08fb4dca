/* raw_call_aarch64.h - raw_call.h for aarch64. */
#ifndef BASE_RAW_CALL_AARCH64_H
#define BASE_RAW_CALL_AARCH64_H

static inline long raw_call_long(long number, const long a[6])
{
    register long which __asm__("x8") = number;
    register long first __asm__("x0") = a[0];
    register long second __asm__("x1") = a[1];
    register long third __asm__("x2") = a[2];
    register long fourth __asm__("x3") = a[3];
    register long fifth __asm__("x4") = a[4];
    register long sixth __asm__("x5") = a[5];
    __asm__ volatile("svc #0"
                     : "+r"(first)
                     : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "memory");
    return first;
}

static inline long raw_call(long number, long a, long b, long c, long d)
{
    const long arguments[6] = {a, b, c, d, 0, 0};
    return raw_call_long(number, arguments);
}

#endif
