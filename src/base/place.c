/* place.c - names and creates report files.
 *
 * Owns:       nothing.
 * Threads:    any.
 * Locks:      none.
 * Invariants: PLACE-1  the name contains the PID: parent and child never share a file.
 *             PLACE-2  an existing file is never touched: it may belong to another user, or to a
 *                      process with the same PID, in another container or before a reboot.
 */
#include "base/place.h"

#include "base/os.h"

#include <errno.h>
#include <stdbool.h>

void place_add_program(struct line *line)
{
    for (const char *name = os_program_name(); *name != '\0'; name++) {
        bool is_plain = *name > ' ' && *name != '"' && *name != '\\' && *name < 127;
        line_add_bytes(line, is_plain ? name : "_", 1);
    }
}

static void expand(struct line *line, const char *pattern)
{
    bool has_process = false;
    for (; *pattern != '\0'; pattern++) {
        char key = '\0';
        if (*pattern == '%') {
            key = pattern[1];
        }
        if (key == 'p') {
            line_add_number(line, os_process_id());
            has_process = true;
        } else if (key == 'e') {
            place_add_program(line);
        } else if (key == 't') {
            line_add_number(line, os_seconds());
        } else {
            line_add_bytes(line, pattern, 1);
            continue;
        }
        pattern++;
    }
    if (!has_process) { // PLACE-1
        line_add(line, ".");
        line_add_number(line, os_process_id());
    }
}

void place_complain(const char *what, const struct line *name, int error, int fd)
{
    struct line line = {.used = 0};
    line_add(&line, "myalloc: ");
    line_add(&line, what);
    line_add_bytes(&line, name->text, name->used);
    line_add(&line, ": ");
    os_report_add_reason(&line, error);
    line_write(&line, fd);
}

void place_number(struct line *name, size_t plain, unsigned number)
{
    name->used = plain;
    if (number > 1) {
        line_add(name, ".");
        line_add_number(name, number);
    }
    name->text[name->used] = '\0';
}

int place_create(const char *pattern, struct line *name, int talk_fd)
{
    name->used = 0;
    expand(name, pattern);
    size_t plain = name->used;
    int fd = -EEXIST;
    for (unsigned number = 1; number <= PLACE_NAMES_MAX && fd == -EEXIST; number++) {
        place_number(name, plain, number); // PLACE-2
        fd = os_report_create(OS_REPORT_HERE, name->text);
    }
    if (fd < 0) {
        place_complain("cannot create ", name, -fd, talk_fd);
    }
    return fd;
}
