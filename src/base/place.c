/* place.c - names of report files.
 *
 * Owns:       nothing.
 * Threads:    any.
 * Locks:      none.
 * Invariants: PLACE-1  the name holds the process: parent and child never share a file.
 */
#include "base/place.h"

#include "base/os.h"

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
    line->text[line->used] = '\0';
}

int place_create(const char *pattern, int talk_fd)
{
    struct line name = {.used = 0};
    expand(&name, pattern);
    int fd = os_create(name.text);
    if (fd >= 0 && os_truncate(fd, 0)) {
        return fd;
    }
    struct line line = {.used = 0};
    line_add(&line, "myalloc: cannot create ");
    line_add_bytes(&line, name.text, name.used);
    line_write(&line, talk_fd);
    if (fd >= 0) {
        os_close(fd);
    }
    return -1;
}
