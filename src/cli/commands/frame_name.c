/* frame_name.c - names of functions that fit into a column.
 *
 * Owns:       nothing; pure functions.
 * Threads:    any.
 * Invariants: FRAME-1  a name may be anything: brackets that do not match only leave out more.
 *
 * Most of a long C++ name are the arguments of its templates, as in
 * std::vector<int, std::allocator<int> >::reserve(unsigned long), which becomes
 * std::vector<>::reserve().
 */
#include "cli/commands/frame_name.h"

#include <stdbool.h>
#include <string.h>

/* Bytes at `at` that are no brackets: of an operator, or of a scope without a name. */
static size_t plain_bytes(const char *at)
{
    static const char *const plain[] = {"operator()",
                                        "operator<=>",
                                        "operator<<=",
                                        "operator>>=",
                                        "operator<<",
                                        "operator>>",
                                        "operator->*",
                                        "operator->",
                                        "operator<=",
                                        "operator>=",
                                        "operator<",
                                        "operator>",
                                        "(anonymous namespace)",
                                        "->"};
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (strncmp(at, plain[i], strlen(plain[i])) == 0) {
            return strlen(plain[i]);
        }
    }
    return 1;
}

/* Without what stands between the brackets `open` and `close`. */
static void fold(struct text *name, char open, char close)
{
    struct text folded = {0};
    unsigned depth = 0;
    for (const char *at = text_string(name); *at != 0;) {
        const size_t bytes = plain_bytes(at);
        const bool closes = bytes == 1 && *at == close && depth != 0;
        depth -= closes;
        if (depth == 0) { // FRAME-1
            text_put_bytes(&folded, at, bytes);
        }
        depth += bytes == 1 && *at == open;
        at += bytes;
    }
    text_free(name);
    *name = folded;
}

void frame_name_put(struct text *out, const char *name, size_t bytes, size_t columns)
{
    struct text copy = {0};
    text_put_bytes(&copy, name, bytes);
    if (text_columns(text_string(&copy)) > columns) {
        fold(&copy, '<', '>');
    }
    if (text_columns(text_string(&copy)) > columns) {
        fold(&copy, '(', ')');
    }
    text_put_cut(out, text_string(&copy), copy.bytes, columns);
    text_free(&copy);
}
