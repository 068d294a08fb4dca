/* json.c - commas and escapes in one place.
 *
 * Owns:       nothing; appends to the text of struct json.
 * Threads:    one.
 * Invariants: JSON-1  the result is ASCII plus bytes >= 0x80 of valid UTF-8; other bytes are
 *                     written as '?', since a path of a process may hold anything.
 */
#include "cli/render/json.h"

static void put_separator(struct json *json)
{
    if (json->needs_comma) {
        text_put_char(json->out, ',');
    }
    json->needs_comma = true;
}

static void put_quoted(struct text *out, const char *string)
{
    const char *s = string;
    text_put_char(out, '"');
    while (*s != 0) {
        const size_t bytes = text_character_bytes(s);
        if (bytes == 0) {
            text_put_char(out, '?'); // JSON-1
        } else if (*s == '"' || *s == '\\') {
            text_printf(out, "\\%c", *s);
        } else if ((unsigned char)*s < 0x20) {
            text_printf(out, "\\u%04x", *s);
        } else {
            text_put_bytes(out, s, bytes);
        }
        s += bytes != 0 ? bytes : 1;
    }
    text_put_char(out, '"');
}

static void put_key(struct json *json, const char *key)
{
    put_separator(json);
    if (key != NULL) {
        put_quoted(json->out, key);
        text_put_char(json->out, ':');
    }
}

void json_open(struct json *json, const char *key, char bracket)
{
    put_key(json, key);
    text_put_char(json->out, bracket);
    json->needs_comma = false;
}

void json_close(struct json *json, char bracket)
{
    text_put_char(json->out, bracket);
    json->needs_comma = true;
}

void json_string(struct json *json, const char *key, const char *value)
{
    put_key(json, key);
    put_quoted(json->out, value);
}

void json_number(struct json *json, const char *key, uint64_t value)
{
    put_key(json, key);
    text_printf(json->out, "%llu", (unsigned long long)value);
}

void json_real(struct json *json, const char *key, double value)
{
    put_key(json, key);
    text_printf(json->out, "%.6g", value);
}

void json_bool(struct json *json, const char *key, bool value)
{
    put_key(json, key);
    text_put(json->out, value ? "true" : "false");
}
