/* procfs.c - reader of /proc and /sys.
 *
 * Owns:       the root below which it reads: "/" or a test's directory.
 * Threads:    one.
 * Invariants: PROCFS-1  a process may end between two reads: every reader returns an errno, and
 *                       the kernel's ESRCH and an empty file both mean "it is gone".
 *             PROCFS-2  names and paths leave this file printable.
 */
#include "cli/procfs/procfs.h"

#include "cli/tool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES      4096u
#define PAGEMAP_PRESENT (1ull << 63) // bit 63 of an entry of pagemap: the page is in memory

static struct {
    const char *root; // [owner] "" or the directory of a test
    struct text path; // [owner] what procfs_path returned last
} g_procfs = {.root = ""};

void procfs_set_root(const char *root)
{
    g_procfs.root = strcmp(root, "/") == 0 ? "" : root;
}

const char *procfs_path(const char *path)
{
    text_clear(&g_procfs.path);
    text_printf(&g_procfs.path, "%s%s", g_procfs.root, path);
    return text_string(&g_procfs.path);
}

int procfs_read(struct text *text, const char *path)
{
    text_clear(text);
    const int fd = open(procfs_path(path), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    char buffer[16384];
    ssize_t count = 0;
    while ((count = read(fd, buffer, sizeof(buffer))) > 0) {
        text_put_bytes(text, buffer, (size_t)count);
    }
    const int error = count < 0 ? errno : 0;
    close(fd);
    return error;
}

int procfs_read_of(struct text *text, pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    const int error = procfs_read(text, path);
    return error == ENOENT ? ESRCH : error;
}

uint64_t procfs_kib_line(const char *text, const char *name)
{
    const size_t length = strlen(name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n' ? 1 : 0;
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            return strtoull(line + length + 1, NULL, 10) * 1024;
        }
    }
    return 0;
}

/* Field 22 of stat; the name in field 2 may hold blanks and brackets, so start at the last ')'. */
static uint64_t start_time_ns(const char *stat)
{
    const char *field = strrchr(stat, ')');
    for (int i = 2; i < 22 && field != NULL; i++) {
        field = strchr(field + 1, ' ');
    }
    const uint64_t ticks = field != NULL ? strtoull(field, NULL, 10) : 0;
    const long ticks_per_second = sysconf(_SC_CLK_TCK);
    return ticks * (1000000000ull / (uint64_t)(ticks_per_second > 0 ? ticks_per_second : 100));
}

static const char *line_value(const char *text, const char *name)
{
    const char *const line = strstr(text, name);
    return line != NULL ? line + strlen(name) : "";
}

int procfs_process(pid_t pid, struct process *process)
{
    *process = (struct process){.pid = pid, .state = '?'};
    struct text text = {0};
    int error = procfs_read_of(&text, pid, "status");
    if (error == 0) {
        const char *const status = text_string(&text);
        const char *const name = line_value(status, "Name:\t");
        const size_t length = strcspn(name, "\n");
        memcpy(process->name, name, length < 63 ? length : 63);
        text_make_printable(process->name); // PROCFS-2
        const char state = *line_value(status, "\nState:\t");
        if (state >= 'A' && state <= 'Z') {
            process->state = state;
        }
        process->uid = (uid_t)strtoul(line_value(status, "\nUid:\t"), NULL, 10);
        process->threads = strtoull(line_value(status, "\nThreads:\t"), NULL, 10);
        process->rss_bytes = procfs_kib_line(status, "VmRSS");
        process->peak_bytes = procfs_kib_line(status, "VmHWM");
        process->swap_bytes = procfs_kib_line(status, "VmSwap");
        error = procfs_read_of(&text, pid, "stat");
        process->started_ns = start_time_ns(text_string(&text));
    }
    text_free(&text);
    return error;
}

static bool parse_mapping(const char *line, struct mapping *mapping)
{
    *mapping = (struct mapping){0};
    int path_at = -1;
    unsigned long long start = 0;
    unsigned long long end = 0;
    unsigned long long offset = 0;
    unsigned long long inode = 0;
    const int fields = sscanf(line, "%llx-%llx %7s %llx %*s %llu %n", &start, &end,
                              mapping->permissions, &offset, &inode, &path_at);
    if (fields < 5 || path_at < 0 || start >= end || strlen(mapping->permissions) != 4) {
        return false;
    }
    mapping->start = start;
    mapping->end = end;
    mapping->file_offset = offset;
    mapping->inode = inode;
    mapping->path = strdup(line + path_at);
    if (mapping->path == NULL) {
        tool_die(TOOL_FAILED, "out of memory");
    }
    text_make_printable(mapping->path); // PROCFS-2
    return true;
}

static void parse_field(const char *line, struct mapping *mapping)
{
    mapping->rss_bytes += procfs_kib_line(line, "Rss");
    mapping->pss_bytes += procfs_kib_line(line, "Pss");
    mapping->private_dirty += procfs_kib_line(line, "Private_Dirty");
    mapping->anon_bytes += procfs_kib_line(line, "Anonymous");
    mapping->swap_bytes += procfs_kib_line(line, "Swap");
    mapping->huge_bytes += procfs_kib_line(line, "AnonHugePages");
}

static void parse_maps(char *text, struct mappings *mappings)
{
    size_t capacity = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        struct mapping mapping;
        if (line[0] >= 'A' && line[0] <= 'Z') { // a field of smaps; addresses are in small letters
            if (mappings->count != 0) {
                parse_field(line, &mappings->array[mappings->count - 1]);
            }
        } else if (parse_mapping(line, &mapping)) {
            if (mappings->count == capacity) {
                capacity = capacity != 0 ? 2 * capacity : 64;
                mappings->array = tool_resize(mappings->array, capacity * sizeof(mapping));
            }
            mappings->array[mappings->count++] = mapping;
        }
    }
}

int procfs_mappings(pid_t pid, struct mappings *mappings)
{
    *mappings = (struct mappings){0};
    struct text text = {0};
    int error = procfs_read_of(&text, pid, "smaps");
    mappings->has_smaps = error == 0 && text.bytes != 0;
    if (error != 0 && error != ESRCH) {
        error = procfs_read_of(&text, pid, "maps");
    } else if (error == ESRCH && procfs_read_of(&text, pid, "maps") == 0) {
        error = 0; // a kernel or a tree without smaps
    }
    if (error == 0 && text.data != NULL) {
        parse_maps(text.data, mappings);
    }
    text_free(&text);
    return error;
}

void procfs_mappings_free(struct mappings *mappings)
{
    for (size_t i = 0; i < mappings->count; i++) {
        free(mappings->array[i].path);
    }
    free(mappings->array);
    *mappings = (struct mappings){0};
}

uint8_t *procfs_resident_pages(pid_t pid, uint64_t start, uint64_t end)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
    const int fd = open(procfs_path(path), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    const size_t pages = (size_t)((end - start) / PAGE_BYTES);
    uint8_t *const resident = tool_allocate(pages);
    memset(resident, 0, pages);
    uint64_t entries[512];
    size_t done = 0;
    while (done < pages) {
        const size_t want = pages - done < 512 ? pages - done : 512;
        const uint64_t at = (start / PAGE_BYTES + done) * sizeof(entries[0]);
        const ssize_t got = pread(fd, entries, want * sizeof(entries[0]), (off_t)at);
        if (got < (ssize_t)sizeof(entries[0])) {
            break;
        }
        const size_t count = (size_t)got / sizeof(entries[0]);
        for (size_t i = 0; i < count; i++) {
            resident[done + i] = (entries[i] & PAGEMAP_PRESENT) != 0;
        }
        done += count;
    }
    close(fd);
    return resident;
}

static int compare_pids(const void *a, const void *b)
{
    const pid_t *const first = a;
    const pid_t *const second = b;
    return (*first > *second) - (*first < *second);
}

pid_t *procfs_pids(void)
{
    size_t count = 0;
    size_t capacity = 256;
    pid_t *pids = tool_allocate(capacity * sizeof(*pids));
    DIR *const directory = opendir(procfs_path("/proc"));
    for (struct dirent *e = NULL; directory != NULL && (e = readdir(directory)) != NULL;) {
        const int pid = atoi(e->d_name);
        if (pid <= 0) {
            continue;
        }
        if (count + 1 == capacity) {
            capacity *= 2;
            pids = tool_resize(pids, capacity * sizeof(*pids));
        }
        pids[count++] = pid;
    }
    if (directory != NULL) {
        closedir(directory);
    }
    qsort(pids, count, sizeof(*pids), compare_pids);
    pids[count] = 0;
    return pids;
}
