/* look_tables.c - finds the tables by which a library tells where its counts are.
 *
 * Owns:       nothing.
 * Threads:    one.
 * Invariants: TABLES-1  they are another program's data: sizes and counts have bounds.
 */
#include "cli/procfs/look_tables.h"

#include "cli/procfs/memory.h"

#include <stdint.h>

#define THING_BYTES_MAX 65536u
#define THINGS_MAX      4096u

static bool is_sound(const struct myalloc_table *table)
{
    return table->version == MYALLOC_TABLES_VERSION && table->id < MYALLOC_TABLES &&
           table->bytes != 0 && table->bytes <= THING_BYTES_MAX && table->count != 0 &&
           table->count <= THINGS_MAX;
}

/* From the live page, which may be without, or from the note of the library. */
static bool find_tables(int fd, pid_t pid, const struct myalloc_live *page, uint64_t *from,
                        uint64_t *to)
{
    int32_t distances[2] = {0};
    uint64_t at = 0;
    *from = page != NULL ? page->header.spare_words[0] : 0;
    *to = page != NULL ? page->header.spare_words[1] : 0;
    if (*from == 0 &&
        memory_find_note(fd, pid, MYALLOC_NOTE_TABLES, distances, sizeof(distances), &at)) {
        *from = at + (uint64_t)(int64_t)distances[0];
        *to = at + 4 + (uint64_t)(int64_t)distances[1];
    }
    return *from < *to && (*to - *from) % sizeof(struct myalloc_table) == 0;
}

bool look_tables_read(int fd, pid_t pid, const struct myalloc_live *page,
                      struct myalloc_table *tables)
{
    uint64_t from = 0;
    uint64_t to = 0;
    if (!find_tables(fd, pid, page, &from, &to)) {
        return false;
    }
    const size_t count = (to - from) / sizeof(struct myalloc_table);
    for (size_t i = 0; i < count && i < 2 * (size_t)MYALLOC_TABLES; i++) {
        struct myalloc_table table;
        if (!memory_read(fd, from + i * sizeof(table), &table, sizeof(table)) ||
            !is_sound(&table)) { // TABLES-1
            return false;
        }
        tables[table.id] = table;
    }
    for (unsigned id = 1; id < MYALLOC_TABLES; id++) {
        if (tables[id].id != id) {
            return false;
        }
    }
    return tables[MYALLOC_TABLE_CLASSES].count <= MYALLOC_LIVE_CLASSES_MAX &&
           tables[MYALLOC_TABLE_DEPOTS].count == tables[MYALLOC_TABLE_CLASSES].count &&
           tables[MYALLOC_TABLE_SLOT].count > tables[MYALLOC_TABLE_CLASSES].count;
}
