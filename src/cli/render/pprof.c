/* pprof.c - writes profile.proto by hand, in blocks of gzip that are stored.
 *
 * Owns:       nothing.
 * Threads:    one.
 * Invariants: PPROF-1  a string has one number, 0 is the empty one; a function has that of its
 *                      name, and so has the one place in it that we tell.
 *
 * A message is a row of fields: number << 3 | form, then a varint (form 0) or a length and bytes
 * (form 2). [Protocol Buffers, "Encoding"; RFC 1951, 3.2.4; RFC 1952]
 */
#include "cli/render/pprof.h"

#include "cli/tool.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#define STORED_MAX 65535u

enum field {
    SAMPLE_TYPE = 1,
    SAMPLE = 2,
    LOCATION = 4,
    FUNCTION = 5,
    STRING = 6,
    TIME_NS = 9,
    PERIOD_TYPE = 11,
    PERIOD = 12,
    COMMENT = 13,
    DEFAULT_TYPE = 14,
};

struct strings {
    struct text table; // the fields, ready
    void *tree;
    uint64_t count;
};

struct string {
    char *chars;
    uint64_t number;
};

static void put_varint(struct text *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        text_put_char(out, (char)(value | 0x80));
    }
    text_put_char(out, (char)value);
}

static void put_number(struct text *out, enum field field, uint64_t value)
{
    put_varint(out, (uint64_t)field << 3);
    put_varint(out, value);
}

static void put_bytes(struct text *out, enum field field, const char *bytes, size_t count)
{
    put_varint(out, (uint64_t)field << 3 | 2);
    put_varint(out, count);
    text_put_bytes(out, bytes, count);
}

static void put_message(struct text *out, enum field field, struct text *message)
{
    put_bytes(out, field, text_string(message), message->bytes);
    text_free(message);
    *message = (struct text){0};
}

static int by_chars(const void *a, const void *b)
{
    return strcmp(((const struct string *)a)->chars, ((const struct string *)b)->chars);
}

/* PPROF-1; *is_new: it was not there. */
static uint64_t string_number(struct strings *strings, const char *chars, size_t bytes,
                              bool *is_new)
{
    struct string *const string = tool_allocate(sizeof(*string));
    string->chars = strndup(chars, bytes);
    string->number = strings->count;
    struct string *const found = *(struct string **)tsearch(string, &strings->tree, by_chars);
    *is_new = found == string;
    if (*is_new) {
        put_bytes(&strings->table, STRING, chars, bytes);
        strings->count++;
    } else {
        free(string->chars);
        free(string);
    }
    return found->number;
}

static uint64_t constant(struct strings *strings, const char *chars)
{
    bool is_new;
    return string_number(strings, chars, strlen(chars), &is_new);
}

static void put_type(struct text *out, struct strings *strings, enum field field, const char *type,
                     const char *unit)
{
    struct text message = {0};
    put_number(&message, 1, constant(strings, type));
    put_number(&message, 2, constant(strings, unit));
    put_message(out, field, &message);
}

static void put_function(struct text *out, uint64_t number)
{
    struct text message = {0};
    struct text line = {0};
    put_number(&message, 1, number);
    put_number(&message, 2, number);
    put_number(&message, 3, number);
    put_message(out, FUNCTION, &message);
    put_number(&line, 1, number);
    put_number(&message, 1, number);
    put_message(&message, 4, &line);
    put_message(out, LOCATION, &message);
}

static void put_sample(struct text *out, struct strings *strings, const struct flame_row *row)
{
    struct text message = {0};
    struct text places = {0};
    struct text values = {0};
    const char *end = row->path + strlen(row->path);
    while (end > row->path) { // the innermost first
        const char *begin = end;
        while (begin > row->path && begin[-1] != '\n') {
            begin--;
        }
        bool is_new;
        const uint64_t number = string_number(strings, begin, (size_t)(end - begin), &is_new);
        if (is_new) {
            put_function(out, number);
        }
        put_varint(&places, number);
        end = begin > row->path ? begin - 1 : begin;
    }
    static const unsigned kinds[] = {FLAME_IN_ALL, FLAME_AT_PEAK, FLAME_IN_USE};
    for (size_t i = 0; i < FLAME_KINDS; i++) {
        put_varint(&values, row->blocks[kinds[i]]);
        put_varint(&values, row->bytes[kinds[i]]);
    }
    put_message(&message, 1, &places);
    put_message(&message, 2, &values);
    put_message(out, SAMPLE, &message);
}

static void put_profile(struct text *out, const struct flame *flame, uint64_t written,
                        uint64_t bytes_per_sample)
{
    static const char *const types[] = {"alloc_objects", "alloc_space",   "peak_objects",
                                        "peak_space",    "inuse_objects", "inuse_space"};
    struct strings strings = {0};
    constant(&strings, "");
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        put_type(out, &strings, SAMPLE_TYPE, types[i], i % 2 == 0 ? "count" : "bytes");
    }
    const uint64_t comments[] = {constant(&strings, flame->program),
                                 constant(&strings, flame->facts)};
    /* A function may have the name of a constant: these are functions from the start. */
    for (uint64_t number = 1; number < strings.count; number++) {
        put_function(out, number);
    }
    for (size_t i = 0; i < flame->count; i++) {
        put_sample(out, &strings, &flame->rows[i]);
    }
    put_number(out, TIME_NS, written * 1000000000u);
    put_type(out, &strings, PERIOD_TYPE, "alloc_space", "bytes");
    put_number(out, PERIOD, bytes_per_sample);
    put_number(out, COMMENT, comments[0]);
    put_number(out, COMMENT, comments[1]);
    put_number(out, DEFAULT_TYPE, constant(&strings, "inuse_space"));
    text_put_bytes(out, text_string(&strings.table), strings.table.bytes);
    text_free(&strings.table);
    while (strings.tree != NULL) {
        struct string *const string = *(struct string **)strings.tree;
        tdelete(string, &strings.tree, by_chars);
        free(string->chars);
        free(string);
    }
}

static void put_little(struct text *out, uint32_t value, unsigned bytes)
{
    for (; bytes > 0; bytes--, value >>= 8) {
        text_put_char(out, (char)value);
    }
}

static uint32_t crc_of(const unsigned char *bytes, size_t count)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
        }
    }
    return ~crc;
}

void pprof_put(struct text *out, const struct flame *flame, uint64_t written,
               uint64_t bytes_per_sample)
{
    struct text profile = {0};
    put_profile(&profile, flame, written, bytes_per_sample);
    text_put_bytes(out, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
    size_t at = 0;
    do {
        const size_t left = profile.bytes - at;
        const uint32_t count = (uint32_t)(left < STORED_MAX ? left : STORED_MAX);
        text_put_char(out, count == left ? 1 : 0); // the last one
        put_little(out, count, 2);
        put_little(out, ~count, 2);
        text_put_bytes(out, profile.data + at, count);
        at += count;
    } while (at < profile.bytes);
    put_little(out, crc_of((const unsigned char *)profile.data, profile.bytes), 4);
    put_little(out, (uint32_t)profile.bytes, 4);
    text_free(&profile);
}
