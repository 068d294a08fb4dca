/* line.c - builds one line of text on the stack.
 *
 * Owns:       nothing; the struct line belongs to the caller.
 * Threads:    any, also signal handlers.
 * Locks:      none.
 * Invariants: LINE-1  used < sizeof text, so that the newline always fits.
 */
#include "base/line.h"

#include "base/quiet.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

void line_add_bytes(struct line *line, const char *text, size_t bytes)
{
    size_t room = sizeof line->text - 1 - line->used; // LINE-1
    if (bytes > room) {
        bytes = room;
    }
    memcpy(line->text + line->used, text, bytes);
    line->used += bytes;
}

void line_add(struct line *line, const char *text)
{
    line_add_bytes(line, text, strlen(text));
}

static void line_add_base(struct line *line, uint64_t number, unsigned base)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    line_add_bytes(line, digits + at, sizeof digits - at);
}

void line_add_number(struct line *line, uint64_t number)
{
    line_add_base(line, number, 10);
}

void line_add_hex(struct line *line, uintptr_t number)
{
    line_add(line, "0x");
    line_add_base(line, number, 16);
}

int line_put(struct line *line, int fd)
{
    size_t written = 0;
    while (written < line->used) {
        long result = quiet_call(
            QUIET_WRITE, SYS_write,
            (long[6]){fd, (long)line->text + (long)written, (long)(line->used - written)});
        if (result <= 0 && result != -EINTR) {
            line->used = 0;
            return (int)-result;
        }
        written += result > 0 ? (size_t)result : 0;
    }
    line->used = 0;
    return 0;
}

int line_write(struct line *line, int fd)
{
    line->text[line->used++] = '\n';
    return line_put(line, fd);
}
