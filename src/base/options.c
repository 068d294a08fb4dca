/* options.c - parses MYALLOC_CONF by the table in options.h.
 *
 * Owns:       g_options.
 * Threads:    options_read by start_once(); afterwards any thread may read.
 * Locks:      none.
 * Invariants: OPTIONS-1  every field is within the range of its row, whatever the text.
 */
#include "base/check.h"
#include "base/options.h"

#include "base/config.h"
#include "base/line.h"
#include "base/os.h"

#include <string.h>
#include <unistd.h>

#define KEY_BYTES_MAX 32

struct option {
    const char *key;
    const char *words; // NULL: a number; "": a text
    const char *help;
    size_t offset; // in struct options
    uint64_t value, least, most;
};

static const struct option g_table[] = {
#define OPTION_ROW_NUMBER(key, value, least, most, help)                                           \
    {#key, NULL, help, offsetof(struct options, key), (value), (least), (most)},
#define OPTION_ROW_WORD(key, value, words, help)                                                   \
    {#key, words, help, offsetof(struct options, key), (value), 0, 0},
#define OPTION_ROW_TEXT(key, help) {#key, "", help, offsetof(struct options, key), 0, 0, 0},
    OPTIONS(OPTION_ROW_NUMBER, OPTION_ROW_WORD, OPTION_ROW_TEXT)};

#define OPTION_COUNT (sizeof g_table / sizeof g_table[0])

struct options g_options = {
#define OPTION_DEFAULT_NUMBER(key, value, least, most, help) .key = (value),
#define OPTION_DEFAULT_WORD(key, value, words, help)         .key = (value),
#define OPTION_DEFAULT_TEXT(key, help)                       .key = "",
    OPTIONS(OPTION_DEFAULT_NUMBER, OPTION_DEFAULT_WORD, OPTION_DEFAULT_TEXT)};

// A substring; not terminated.
struct piece {
    const char *start;
    size_t bytes;
};

static bool piece_is(struct piece piece, const char *word)
{
    ASSERT(word != NULL);
    return strlen(word) == piece.bytes && memcmp(piece.start, word, piece.bytes) == 0;
}

// Splits off the front of *text, up to `end` or the end of the text.
static struct piece piece_cut(const char **text, char end)
{
    ASSERT(*text != NULL);
    ASSERT(end != '\0');
    const char *stop = strchrnul(*text, end);
    struct piece piece = {*text, (size_t)(stop - *text)};
    *text = *stop == end ? stop + 1 : stop;
    return piece;
}

static size_t edit_step(const size_t *above, size_t left, bool equal)
{
    size_t best = above[0] + (equal ? 0 : 1);
    best = above[1] + 1 < best ? above[1] + 1 : best;
    return left + 1 < best ? left + 1 : best;
}

// Levenshtein distance: insertions, deletions and changes that turn the piece into `key`.
static size_t edit_distance(struct piece piece, const char *key)
{
    size_t row[KEY_BYTES_MAX + 1];
    size_t bytes = strlen(key);
    ASSERT(bytes <= KEY_BYTES_MAX);
    for (size_t i = 0; i <= bytes; i++) {
        row[i] = i;
    }
    for (size_t k = 0; k < piece.bytes; k++) {
        size_t above[2] = {row[0], row[1]};
        row[0] = k + 1;
        for (size_t i = 0; i < bytes; i++) {
            above[1] = row[i + 1];
            row[i + 1] = edit_step(above, row[i], piece.start[k] == key[i]);
            above[0] = above[1];
        }
    }
    return row[bytes];
}

static const struct option *option_nearest(struct piece key)
{
    const struct option *nearest = &g_table[0];
    for (size_t i = 1; i < OPTION_COUNT; i++) {
        if (edit_distance(key, g_table[i].key) < edit_distance(key, nearest->key)) {
            nearest = &g_table[i];
        }
    }
    return nearest;
}

static bool is_text(const struct option *option)
{
    return option->words != NULL && option->words[0] == '\0';
}

static void describe_range(struct line *line, const struct option *option)
{
    ASSERT(is_text(option) || option->words != NULL || option->least <= option->most);
    if (is_text(option)) {
        line_add(line, "a name");
    } else if (option->words != NULL) {
        line_add(line, option->words);
    } else {
        line_add_number(line, option->least);
        line_add(line, " to ");
        line_add_number(line, option->most);
    }
}

static void complain_key(struct piece key)
{
    struct line line = {.used = 0};
    line_add(&line, "myalloc: MYALLOC_CONF: unknown key '");
    line_add_bytes(&line, key.start, key.bytes < KEY_BYTES_MAX ? key.bytes : KEY_BYTES_MAX);
    line_add(&line, "', did you mean '");
    line_add(&line, option_nearest(key)->key);
    line_add(&line, "'?");
    line_write(&line, STDERR_FILENO);
}

static void complain_value(const struct option *option, struct piece value)
{
    struct line line = {.used = 0};
    line_add(&line, "myalloc: MYALLOC_CONF: bad value '");
    line_add_bytes(&line, value.start, value.bytes < KEY_BYTES_MAX ? value.bytes : KEY_BYTES_MAX);
    line_add(&line, "' for '");
    line_add(&line, option->key);
    line_add(&line, "' (");
    describe_range(&line, option);
    line_add(&line, ")");
    line_write(&line, STDERR_FILENO);
}

static bool parse_word(const struct option *option, struct piece text, uint64_t *value)
{
    ASSERT(option->words != NULL);
    const char *words = option->words;
    for (*value = 0; *words != '\0'; ++*value) {
        struct piece word = piece_cut(&words, '|');
        if (word.bytes == text.bytes && memcmp(word.start, text.start, word.bytes) == 0) {
            return true;
        }
    }
    return false;
}

// Parses decimal digits, with k, m or g for 2^10, 2^20 or 2^30.
static bool parse_number(const struct option *option, struct piece text, uint64_t *value)
{
    ASSERT(option->words == NULL);
    ASSERT(option->least <= option->most);
    size_t i = 0;
    *value = 0;
    for (; i < text.bytes && text.start[i] >= '0' && text.start[i] <= '9'; i++) {
        if (*value > (UINT64_MAX >> 4) / 10) {
            return false;
        }
        *value = *value * 10 + (uint64_t)(text.start[i] - '0');
    }
    if (i != 0 && i + 1 == text.bytes) {
        const char *units = "kmg";
        const char *unit = strchr(units, text.start[i] | 0x20);
        unsigned shift = unit != NULL && *unit != '\0' ? 10 * (unsigned)(unit - units + 1) : 0;
        if (shift == 0 || *value > UINT64_MAX >> shift) {
            return false;
        }
        *value <<= shift;
        i++;
    }
    return i != 0 && i == text.bytes && *value >= option->least && *value <= option->most;
}

// Copies the text; "0" means none, like an empty one.
static bool parse_text(const struct option *option, struct piece text, struct options *options)
{
    ASSERT(is_text(option));
    ASSERT(option->offset + OPTION_TEXT_BYTES <= sizeof *options);
    char *field = (char *)options + option->offset;
    if (text.bytes >= OPTION_TEXT_BYTES) {
        return false;
    }
    memcpy(field, text.start, text.bytes);
    field[piece_is(text, "0") ? 0 : text.bytes] = '\0';
    return true;
}

static void parse_entry(struct piece key, struct piece text, struct options *options)
{
    ASSERT(key.start + key.bytes <= text.start);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &g_table[i];
        if (!piece_is(key, option->key)) {
            continue;
        }
        uint64_t value = 0;
        bool is_good = is_text(option)         ? parse_text(option, text, options)
                       : option->words != NULL ? parse_word(option, text, &value)
                                               : parse_number(option, text, &value);
        if (!is_good) { // OPTIONS-1
            complain_value(option, text);
        } else if (!is_text(option)) {
            ASSERT(option->offset + sizeof value <= sizeof *options);
            memcpy((char *)options + option->offset, &value, sizeof value);
        }
        return;
    }
    complain_key(key);
}

void options_parse(const char *text, struct options *options)
{
    ASSERT(text != NULL);
    ASSERT(options != NULL);
    while (*text != '\0') {
        struct piece entry = piece_cut(&text, ',');
        if (entry.bytes == 0) {
            continue;
        }
        const char *colon = memchr(entry.start, ':', entry.bytes);
        size_t key_bytes = colon != NULL ? (size_t)(colon - entry.start) : entry.bytes;
        struct piece key = {entry.start, key_bytes};
        struct piece value = {entry.start + entry.bytes, 0};
        if (colon != NULL) {
            value = (struct piece){colon + 1, entry.bytes - key_bytes - 1};
        }
        parse_entry(key, value, options);
    }
}

void options_read(void)
{
    static const char name[] = "MYALLOC_CONF"; // not with the strings that few processes read
    const char *text = os_env(name);
    if (text != NULL) {
        options_parse(text, &g_options);
    }
}

static void help_value(struct line *line, const struct option *option, uint64_t value)
{
    const char *words = option->words;
    if (words == NULL) {
        line_add_number(line, value);
        return;
    }
    struct piece word = piece_cut(&words, '|');
    while (value-- != 0) {
        word = piece_cut(&words, '|');
    }
    line_add_bytes(line, word.start, word.bytes);
    ASSERT(word.bytes != 0 || is_text(option));
}

void options_help(int fd)
{
    ASSERT(fd >= 0);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &g_table[i];
        struct line line = {.used = 0};
        line_add(&line, option->key);
        line_add(&line, ":");
        describe_range(&line, option);
        line_add(&line, "\t");
        help_value(&line, option, option->value);
        line_add(&line, "\t");
        line_add(&line, option->help);
        line_write(&line, fd);
    }
}
