/* libc_env.c - reads the environment variables of glibc's malloc.
 *
 * Owns:       nothing.
 * Threads:    the one that starts the process.
 * Locks:      none.
 * Invariants: LIBC_ENV-1  every field stays within the range of its option, or has a value that
 *                         mallopt(3) may set.
 *
 * Ignored, since they have no meaning here: arena_max and arena_test (there is one region), check
 * (in a library of its own since glibc 2.34), mxfast and the tcache (we have neither), hugetlb
 * (huge_pages is our own way).
 */
#include "base/libc_env.h"

#include "base/bits.h"
#include "base/config.h"
#include "base/os.h"

#include <stdbool.h>
#include <string.h>

#define TUNABLES "glibc.malloc."

struct setting {
    char variable[16]; // follows MALLOC_; an array, since pointers would need relocations
    char tunable[16];  // follows TUNABLES
    uint16_t offset;   // in struct options
    bool may_be_huge;  // any number is valid, also -1
    uint64_t least, most;
};

static const struct setting g_settings[] = {
    {"MMAP_THRESHOLD_", "mmap_threshold", offsetof(struct options, huge_bytes), true, 1, 0},
    {"MMAP_MAX_", "mmap_max", offsetof(struct options, huge_max), false, 0, INT32_MAX},
    {"TRIM_THRESHOLD_", "trim_threshold", offsetof(struct options, trim_bytes), true, 1, 0},
    {"TOP_PAD_", "top_pad", offsetof(struct options, top_pad_bytes), false, 0, 1UL << 32},
    {"PERTURB_", "perturb", offsetof(struct options, perturb), false, 0, 255},
};

#define SETTINGS (sizeof g_settings / sizeof g_settings[0])

// Parses a C integer up to `end`; a minus sign wraps, as in glibc.
static COLD bool parse_number(const char *text, const char *end, uint64_t *value)
{
    bool is_negative = *text == '-';
    text += is_negative;
    unsigned base = 10;
    if (*text == '0' && end - text > 1) {
        base = (text[1] | 0x20) == 'x' ? 16 : 8;
        text += base == 16 ? 2 : 1;
    }
    bool is_good = text != end;
    *value = 0;
    for (; text != end && is_good; text++) {
        unsigned letter = (unsigned)(*text | 0x20) - 'a';
        unsigned digit = *text <= '9' ? (unsigned)*text - '0' : letter + 10;
        is_good = digit < base && *value <= (UINT64_MAX - digit) / base;
        *value = *value * base + digit;
    }
    *value = is_negative ? -*value : *value;
    return is_good;
}

static COLD void apply(const struct setting *setting, const char *text, const char *end,
                       struct options *options)
{
    uint64_t value;
    if (!parse_number(text, end, &value)) {
        return;
    }
    value = max_size(value, setting->least);              // 0 would mean our default
    if (setting->may_be_huge || value <= setting->most) { // LIBC_ENV-1
        memcpy((char *)options + setting->offset, &value, sizeof value);
    }
}

// Applies one variable, "NAME=VALUE" without the MALLOC_.
static NOINLINE COLD void read_variable(const char *text, struct options *options)
{
    const char *equals = strchr(text, '=');
    for (unsigned i = 0; i < SETTINGS && equals != NULL; i++) {
        const char *name = g_settings[i].variable;
        size_t bytes = strlen(name);
        if ((size_t)(equals - text) == bytes && memcmp(text, name, bytes) == 0) {
            apply(&g_settings[i], equals + 1, equals + strlen(equals), options);
        }
    }
}

// Applies one "glibc.malloc.name=value", which ends at `end`.
static void read_tunable(const char *text, const char *end, struct options *options)
{
    const char *equals = memchr(text, '=', (size_t)(end - text));
    for (unsigned i = 0; i < SETTINGS && equals != NULL; i++) {
        const char *name = g_settings[i].tunable;
        size_t bytes = strlen(name);
        if ((size_t)(equals - text) == strlen(TUNABLES) + bytes &&
            memcmp(text, TUNABLES, strlen(TUNABLES)) == 0 &&
            memcmp(text + strlen(TUNABLES), name, bytes) == 0) {
            apply(&g_settings[i], equals + 1, end, options);
        }
    }
}

static NOINLINE COLD void read_tunables(const char *text, struct options *options)
{
    while (*text != '\0') {
        const char *end = strchrnul(text, ':');
        read_tunable(text, end, options);
        text = end + (*end == ':');
    }
}

void libc_env_read(struct options *options)
{
    const char *text;
    for (size_t at = 0; (text = os_env_next("MALLOC_", &at)) != NULL;) {
        read_variable(text, options);
    }
    text = os_env("GLIBC_TUNABLES");
    if (text != NULL) {
        read_tunables(text, options);
    }
}
