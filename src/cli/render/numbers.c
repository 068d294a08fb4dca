/* numbers.c - a reader of JSON that keeps only numbers.
 *
 * Owns:       the names in struct numbers.
 * Threads:    one.
 * Invariants: NUMBERS-1  a file may hold anything: what is no JSON is refused with its place,
 *                        nesting beyond DEPTH_MAX too.
 *             NUMBERS-2  reader.path is the name of the value at hand; levels[] remember how long
 *                        it was outside.
 */
#include "cli/render/numbers.h"

#include "cli/tool.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX    16
#define STRING_BYTES 256 // of a key or name; what is longer is cut

struct level {
    size_t path_bytes; // of the path outside of this value
    bool is_array;
    bool awaits_name; // an element whose first member is still to come
};

struct reader {
    const char *at;
    struct text path; // NUMBERS-2
    struct level levels[DEPTH_MAX];
    unsigned depth;
    struct numbers *numbers;
};

static void skip_blanks(struct reader *r)
{
    r->at += strspn(r->at, " \t\r\n");
}

static bool accept(struct reader *r, char c)
{
    skip_blanks(r);
    if (*r->at != c) {
        return false;
    }
    r->at++;
    return true;
}

/* Escapes stay as they are written: ours occur in names of programs only. */
static bool read_string(struct reader *r, char *string)
{
    size_t bytes = 0;
    if (!accept(r, '"')) {
        return false;
    }
    for (; *r->at != '"'; r->at++) {
        if (*r->at == '\\' && r->at[1] != 0) {
            r->at++;
        }
        if (*r->at == 0 || *r->at == '\n') {
            return false;
        }
        if (bytes < STRING_BYTES - 1) {
            string[bytes++] = *r->at;
        }
    }
    r->at++;
    string[bytes] = 0;
    text_make_printable(string);
    return true;
}

static void cut_path(struct reader *r, size_t bytes)
{
    r->path.bytes = bytes;
    if (r->path.data != NULL) {
        r->path.data[bytes] = 0;
    }
}

static void keep(struct reader *r, double value)
{
    struct numbers *const numbers = r->numbers;
    const char *const name = text_string(&r->path);
    for (size_t i = 0; i < numbers->count; i++) {
        if (strcmp(numbers->array[i].name, name) == 0) {
            numbers->array[i].value += value;
            return;
        }
    }
    char *const copy = tool_allocate(r->path.bytes + 1);
    memcpy(copy, name, r->path.bytes + 1);
    if ((numbers->count & (numbers->count - 1)) == 0) { // full at every power of two
        const size_t capacity = numbers->count != 0 ? 2 * numbers->count : 1;
        numbers->array = tool_resize(numbers->array, capacity * sizeof(*numbers->array));
    }
    numbers->array[numbers->count++] = (struct number){.name = copy, .value = value};
}

static bool open_level(struct reader *r, bool is_array)
{
    if (r->depth == DEPTH_MAX) {
        return false; // NUMBERS-1
    }
    const bool is_element = r->depth != 0 && r->levels[r->depth - 1].is_array;
    r->levels[r->depth++] = (struct level){
        .path_bytes = r->path.bytes,
        .is_array = is_array,
        .awaits_name = is_element && !is_array,
    };
    return true;
}

/* A number or a string that is the first member of an element names it. */
static bool take_name(struct reader *r, const char *value)
{
    struct level *const level = &r->levels[r->depth - 1];
    if (!level->awaits_name) {
        return false;
    }
    level->awaits_name = false;
    cut_path(r, level->path_bytes);
    text_printf(&r->path, "[%s]", value);
    level->path_bytes = r->path.bytes;
    return true;
}

static bool read_scalar(struct reader *r)
{
    char string[STRING_BYTES];
    skip_blanks(r);
    if (*r->at == '"') {
        return read_string(r, string) && (take_name(r, string) || true);
    }
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        if (strncmp(r->at, words[i], strlen(words[i])) == 0) {
            r->at += strlen(words[i]);
            return true;
        }
    }
    const size_t bytes = strspn(r->at, "+-.0123456789eE");
    if (bytes == 0 || bytes >= STRING_BYTES) {
        return false;
    }
    memcpy(string, r->at, bytes);
    string[bytes] = 0;
    char *end = NULL;
    const double value = strtod(string, &end);
    r->at += bytes;
    if (*end != 0) {
        return false;
    }
    if (!take_name(r, string)) {
        keep(r, value);
    }
    return true;
}

/* The key before a member, appended to the path. */
static bool read_key(struct reader *r)
{
    char key[STRING_BYTES];
    if (!read_string(r, key) || !accept(r, ':')) {
        return false;
    }
    text_printf(&r->path, "%s%s", r->path.bytes != 0 ? "." : "", key);
    return true;
}

/* Behind a value: back to the path of its level; closes what ends here. False: a mistake. */
static bool close_levels(struct reader *r)
{
    while (r->depth != 0) {
        struct level *const level = &r->levels[r->depth - 1];
        cut_path(r, level->path_bytes);
        if (accept(r, ',')) {
            return level->is_array || read_key(r);
        }
        if (!accept(r, level->is_array ? ']' : '}')) {
            return false;
        }
        r->depth--;
    }
    return true;
}

/* An object or an array begins: its first key, or its end at once. */
static bool enter(struct reader *r, bool is_array)
{
    if (!open_level(r, is_array)) {
        return false;
    }
    if (accept(r, is_array ? ']' : '}')) {
        r->depth--;
        cut_path(r, r->levels[r->depth].path_bytes);
        return close_levels(r);
    }
    return is_array || read_key(r);
}

static bool read_object(struct reader *r)
{
    if (!accept(r, '{') || !enter(r, false)) {
        return false;
    }
    while (r->depth != 0) {
        bool is_sound = true;
        if (accept(r, '{')) {
            is_sound = enter(r, false);
        } else if (accept(r, '[')) {
            is_sound = enter(r, true);
        } else {
            is_sound = read_scalar(r) && close_levels(r);
        }
        if (!is_sound) {
            return false;
        }
    }
    skip_blanks(r);
    return *r->at == 0;
}

/* Where the last line begins that begins with an object: watch writes one per round. */
static size_t last_object(const char *json)
{
    size_t last = 0;
    for (size_t at = 0; json[at] != 0; at++) {
        if (json[at] == '{' && at != 0 && json[at - 1] == '\n') {
            last = at;
        }
    }
    return last;
}

bool numbers_read(struct numbers *numbers, const char *json, struct text *why)
{
    *numbers = (struct numbers){0};
    const char *const start = json + last_object(json);
    struct reader reader = {.numbers = numbers, .at = start};
    const bool is_sound = read_object(&reader);
    if (!is_sound) {
        text_printf(why, "no JSON at byte %zu of its last object", (size_t)(reader.at - start));
    }
    text_free(&reader.path);
    return is_sound;
}

void numbers_free(struct numbers *numbers)
{
    for (size_t i = 0; i < numbers->count; i++) {
        free(numbers->array[i].name);
    }
    free(numbers->array);
    *numbers = (struct numbers){0};
}

const struct number *numbers_find(const struct numbers *numbers, const char *name)
{
    for (size_t i = 0; i < numbers->count; i++) {
        if (strcmp(numbers->array[i].name, name) == 0) {
            return &numbers->array[i];
        }
    }
    return NULL;
}
