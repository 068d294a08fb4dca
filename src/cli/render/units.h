/* units.h - numbers for people, and sizes that people type. */
#ifndef CLI_RENDER_UNITS_H
#define CLI_RENDER_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* Returned by value, so that several fit into one printf: units_bytes(n).chars */
struct units {
    char chars[32]; // [const] ends with a zero
};

/* "96 B", "20 KiB", "182.4 MiB": exact up to 9999 of a unit when whole, else one decimal. */
struct units units_bytes(uint64_t bytes);

/* "985", "10 214", "8.1 M", "3.0 G". */
struct units units_count(uint64_t count);

/* "1 block", "985 blocks": a count with what is counted. */
struct units units_of(uint64_t count, const char *one, const char *many);

/* `part` of `whole` in percent: "4.1%", "63%"; "-" when whole is 0. */
struct units units_share(uint64_t part, uint64_t whole);

/* "3.21 s", "412 ms", "80 us". */
struct units units_ns(uint64_t ns);

/* "512M", "1.5GiB", "65536": powers of 1024. */
bool units_parse_bytes(const char *string, uint64_t *bytes);

#endif
