/* units.c - bytes, counts, shares and times as short text.
 *
 * Owns:       nothing; pure functions.
 * Threads:    any.
 * Invariants: UNITS-1  one unit system: powers of 1024 named KiB, MiB, GiB, never "kB".
 */
#include "cli/render/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct units units_bytes(uint64_t bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    struct units result;
    unsigned unit = 0;
    double value = (double)bytes;
    while (value >= 1024.0 && unit < 6) {
        value /= 1024.0;
        unit++;
    }
    const bool whole = bytes == ((bytes >> (10 * unit)) << (10 * unit));
    snprintf(result.chars, sizeof(result.chars), whole ? "%.0f %s" : "%.1f %s", value, names[unit]);
    return result;
}

struct units units_count(uint64_t count)
{
    struct units result;
    if (count < 10000) {
        snprintf(result.chars, sizeof(result.chars), "%" PRIu64, count);
    } else if (count < 1000000) {
        snprintf(result.chars, sizeof(result.chars), "%" PRIu64 " %03" PRIu64, count / 1000,
                 count % 1000);
    } else if (count < 1000000000) {
        snprintf(result.chars, sizeof(result.chars), "%.1f M", (double)count / 1e6);
    } else {
        snprintf(result.chars, sizeof(result.chars), "%.1f G", (double)count / 1e9);
    }
    return result;
}

struct units units_of(uint64_t count, const char *one, const char *many)
{
    struct units result = units_count(count);
    const size_t bytes = strlen(result.chars);
    snprintf(result.chars + bytes, sizeof(result.chars) - bytes, " %s", count == 1 ? one : many);
    return result;
}

struct units units_share(uint64_t part, uint64_t whole)
{
    struct units result = {"-"};
    if (whole != 0) {
        const double percent = 100.0 * (double)part / (double)whole;
        snprintf(result.chars, sizeof(result.chars), percent < 9.95 ? "%.1f%%" : "%.0f%%", percent);
    }
    return result;
}

struct units units_ns(uint64_t ns)
{
    struct units result;
    if (ns == 0) {
        return (struct units){"0 s"};
    }
    if (ns >= 1000000000) {
        snprintf(result.chars, sizeof(result.chars), "%.2f s", (double)ns / 1e9);
    } else if (ns >= 1000000) {
        snprintf(result.chars, sizeof(result.chars), "%.0f ms", (double)ns / 1e6);
    } else {
        snprintf(result.chars, sizeof(result.chars), "%.0f us", (double)ns / 1e3);
    }
    return result;
}

bool units_parse_bytes(const char *string, uint64_t *bytes)
{
    static const char *const suffixes[][4] = {{"", "b", "", ""},
                                              {"k", "kb", "kib", ""},
                                              {"m", "mb", "mib", ""},
                                              {"g", "gb", "gib", ""},
                                              {"t", "tb", "tib", ""}};
    if (string[0] < '0' || string[0] > '9') {
        return false;
    }
    char *end = NULL;
    double value = strtod(string, &end);
    while (*end == ' ') {
        end++;
    }
    for (unsigned unit = 0; unit < 5; unit++) {
        for (unsigned i = 0; i < 4; i++) {
            if (strcasecmp(end, suffixes[unit][i]) != 0 || (end[0] == 0 && unit != 0)) {
                continue;
            }
            if (value >= 9.0e18) {
                return false;
            }
            *bytes = (uint64_t)value;
            return true;
        }
        value *= 1024.0;
    }
    return false;
}
