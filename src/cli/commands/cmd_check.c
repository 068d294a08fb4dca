/* cmd_check.c - `myalloc check PROG`: will the preload work, and why not.
 *
 * Owns:       nothing.
 * Threads:    one.
 * Invariants: CHECK-1  exit TOOL_OK: it works; TOOL_NO: it does not; 126 and 127 as `run` would
 *                      give.
 */
#include "cli/commands/commands.h"

#include "cli/render/json.h"
#include "cli/commands/preload.h"
#include "cli/render/table.h"
#include "cli/tool.h"

#include <errno.h>
#include <string.h>

/* Append each line of `lines` as a string of an array. */
static void json_lines(struct json *json, const char *key, const struct text *lines)
{
    json_open(json, key, '[');
    const char *line = text_string(lines);
    while (*line != 0) {
        struct text one = {0};
        const size_t length = strcspn(line, "\n");
        text_put_bytes(&one, line, length);
        json_string(json, NULL, text_string(&one));
        text_free(&one);
        line += length + 1;
    }
    json_close(json, ']');
}

static bool is_good(const struct verdict *verdict)
{
    return verdict->obstacles.bytes == 0 && verdict->doubts.bytes == 0;
}

static void put_json(struct text *out, const struct verdict *verdict)
{
    struct json json = {.out = out};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    json_string(&json, "program", text_string(&verdict->program));
    json_bool(&json, "works", is_good(verdict));
    json_lines(&json, "obstacles", &verdict->obstacles);
    json_lines(&json, "doubts", &verdict->doubts);
    json_lines(&json, "remarks", &verdict->remarks);
    json_close(&json, '}');
    text_put_char(out, '\n');
}

static void put_text(struct text *out, const struct verdict *verdict, bool coloured)
{
    const bool works = is_good(verdict);
    text_printf(out, "%s: ", text_string(&verdict->program));
    table_put_coloured(out, coloured, works ? COLOUR_GREEN : COLOUR_RED,
                       works                           ? "the library will work"
                       : verdict->obstacles.bytes != 0 ? "the library will not work"
                                                       : "the library will hardly work");
    text_put_char(out, '\n');
    text_put(out, text_string(&verdict->obstacles));
    text_put(out, text_string(&verdict->doubts));
    text_put(out, text_string(&verdict->remarks));
}

int cmd_check(const struct options *options, char **words)
{
    struct verdict verdict;
    preload_judge(words[0], &verdict);
    int code = is_good(&verdict) ? TOOL_OK : TOOL_NO;
    if (verdict.error != 0) {
        const bool is_script = verdict.interpreter.bytes != 0;
        const struct text *const missing = is_script ? &verdict.interpreter : &verdict.program;
        tool_warn("%s: %s", text_string(missing), strerror(verdict.error));
        code = verdict.error == ENOENT ? TOOL_NOT_FOUND : TOOL_NOT_EXECUTABLE;
    } else {
        struct text out = {0};
        if (option_is_given(options, OPTION_JSON)) {
            put_json(&out, &verdict);
        } else {
            put_text(&out, &verdict, options->is_coloured);
        }
        text_write(&out, options->out);
        text_free(&out);
    }
    preload_verdict_free(&verdict);
    return code;
}
