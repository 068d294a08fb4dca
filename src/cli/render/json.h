/* json.h - one JSON object, written as it goes. */
#ifndef CLI_RENDER_JSON_H
#define CLI_RENDER_JSON_H

#include "cli/render/text.h"

#include <stdint.h>

struct json {
    struct text *out; // [const] the text that receives it
    bool needs_comma; // [owner] a value stands before the next one
};

/* `bracket` is '{' or '['; `key` is NULL for a value without a name. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);
void json_string(struct json *json, const char *key, const char *value);
void json_number(struct json *json, const char *key, uint64_t value);
void json_real(struct json *json, const char *key, double value);
void json_bool(struct json *json, const char *key, bool value);

#endif
