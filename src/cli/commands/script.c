/* script.c - a reader of shell scripts, for the one question what they start at their end.
 *
 * Owns:       the variables that it saw.
 * Threads:    one.
 * Invariants: SCRIPT-1  a script may be anything: what is not understood counts as not known.
 *
 * Wrappers of large programs (browsers, office suites) set a few variables and end with `exec`.
 * Branches are not followed: the last `exec` of the text is taken for the usual one.
 */
#include "cli/commands/script.h"

#include "cli/tool.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_BYTES_MAX 1048576u
#define VARIABLES_MAX    64

struct variable {
    char *name;  // [owner]
    char *value; // [owner] NULL: not known
};

struct script {
    const char *path;                         // [const]
    struct variable variables[VARIABLES_MAX]; // [owner]
    size_t count;                             // [owner]
};

static size_t name_bytes(const char *text)
{
    size_t bytes = 0;
    while (isalnum((unsigned char)text[bytes]) != 0 || text[bytes] == '_') {
        bytes++;
    }
    return isdigit((unsigned char)text[0]) != 0 ? 0 : bytes;
}

static struct variable *find(struct script *script, const char *name, size_t bytes)
{
    for (size_t i = 0; i < script->count; i++) {
        struct variable *const variable = &script->variables[i];
        if (strlen(variable->name) == bytes && memcmp(variable->name, name, bytes) == 0) {
            return variable;
        }
    }
    return NULL;
}

/* The folder of the script itself, which `dirname "$0"` tells. */
static void put_own_folder(const struct script *script, struct text *word)
{
    char resolved[PATH_MAX];
    if (realpath(script->path, resolved) != NULL) {
        char *const slash = strrchr(resolved, '/');
        *slash = 0;
        text_put(word, resolved);
    }
}

/* The end of `...` or $(...), and whether it asks for the script's own folder. */
static const char *skip_command(const char *at, bool *is_own_folder)
{
    const bool is_quote = *at == '`';
    const char *const begin = at;
    int depth = 0;
    for (at += is_quote ? 1 : 2; *at != 0; at++) {
        depth += *at == '(' ? 1 : 0;
        if (is_quote ? *at == '`' : *at == ')' && depth-- == 0) {
            break;
        }
    }
    const char *const dirname = strstr(begin, "dirname");
    *is_own_folder = *at != 0 && dirname != NULL && dirname < at;
    return at;
}

/* $NAME or ${NAME}; the last character that belongs to it. */
static const char *put_variable(struct script *script, struct text *word, const char *at,
                                bool *is_known)
{
    const bool has_brace = at[1] == '{';
    const char *const name = at + (has_brace ? 2 : 1);
    const size_t bytes = name_bytes(name);
    const struct variable *const variable = find(script, name, bytes);
    const bool is_plain = bytes != 0 && (!has_brace || name[bytes] == '}');
    if (!is_plain || variable == NULL || variable->value == NULL) {
        *is_known = false;
        return bytes != 0 ? name + bytes - 1 : at;
    }
    text_put(word, variable->value);
    return name + bytes - (has_brace ? 0 : 1);
}

/* The word at `at`, unquoted; false: only a shell can tell it. */
static bool expand(struct script *script, const char *at, struct text *word)
{
    bool is_known = true;
    char quote = 0;
    for (; *at != 0 && (quote != 0 || strchr(" \t;&|", *at) == NULL); at++) {
        if (*at == quote) {
            quote = 0;
        } else if (quote == 0 && (*at == '\'' || *at == '"')) {
            quote = *at;
        } else if (quote != '\'' && (*at == '`' || (at[0] == '$' && at[1] == '('))) {
            bool is_own_folder = false;
            at = skip_command(at, &is_own_folder);
            put_own_folder(script, word);
            is_known = is_known && is_own_folder;
            if (*at == 0) {
                return false;
            }
        } else if (quote != '\'' && *at == '$') {
            at = put_variable(script, word, at, &is_known);
        } else {
            text_put_char(word, *at);
        }
    }
    return is_known;
}

static void assign(struct script *script, const char *name, size_t bytes)
{
    struct text value = {0};
    const bool is_known = expand(script, name + bytes + 1, &value);
    struct variable *variable = find(script, name, bytes);
    if (variable == NULL && script->count < VARIABLES_MAX) {
        variable = &script->variables[script->count++];
        *variable = (struct variable){.name = strndup(name, bytes)};
    }
    if (variable != NULL) {
        free(variable->value);
        variable->value = is_known ? strdup(text_string(&value)) : NULL;
    }
    text_free(&value);
}

/* Behind `exec` and its options; NULL: it only redirects. */
static const char *program_of(const char *at)
{
    at += strspn(at, " \t");
    while (*at == '-') {
        const bool has_name = at[1] == 'a';
        at += strcspn(at, " \t");
        at += strspn(at, " \t");
        if (has_name) { // -a NAME
            at += *at == '"' ? strcspn(at + 1, "\"") + 1 : 0;
            at += strcspn(at, " \t");
            at += strspn(at, " \t");
        }
    }
    const char *const behind_digits = at + strspn(at, "0123456789");
    return *at == 0 || strchr("<>&;", *behind_digits) != NULL ? NULL : at;
}

static const char *find_exec(const char *line)
{
    for (const char *at = line; (at = strstr(at, "exec")) != NULL; at += 4) {
        const bool begins = at == line || strchr(" \t;&|", at[-1]) != NULL;
        if (begins && (at[4] == ' ' || at[4] == '\t')) {
            return program_of(at + 4);
        }
    }
    return NULL;
}

bool script_find_exec(const char *path, struct text *word)
{
    struct script script = {.path = path};
    struct text text = {0};
    bool is_known = true;
    if (text_read_path(&text, path, SCRIPT_BYTES_MAX) != 0) {
        return true;
    }
    char *rest = text.data;
    for (char *line = NULL; (line = strsep(&rest, "\n")) != NULL;) {
        line += strspn(line, " \t");
        line += strncmp(line, "export ", 7) == 0 ? 7 : 0;
        const size_t bytes = name_bytes(line);
        const char *const program = *line == '#' ? NULL : find_exec(line);
        if (bytes != 0 && line[bytes] == '=') {
            assign(&script, line, bytes);
        } else if (program != NULL) {
            text_clear(word);
            is_known = expand(&script, program, word);
        }
    }
    for (size_t i = 0; i < script.count; i++) {
        free(script.variables[i].name);
        free(script.variables[i].value);
    }
    text_free(&text); // NOLINT(clang-analyzer-unix.Malloc): all is in `variables`
    return is_known;
}
