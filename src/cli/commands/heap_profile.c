/* heap_profile.c - reads a heap profile of the library.
 *
 * Owns:       nothing.
 * Threads:    one.
 * Invariants: HEAP-1  the file may be anything: what is no line of a profile makes it none, what
 *                     follows the mappings is not read.
 */
#include "cli/commands/heap_profile.h"

#include "cli/tool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX 64

static void *grow(void *array, size_t count, size_t bytes)
{
    const bool is_full = count == 0 || (count & (count - 1)) == 0;
    return is_full ? tool_resize(array, (count == 0 ? 1 : 2 * count) * bytes) : array;
}

static void add_stack(struct heap_profile *profile, const char *line)
{
    uint64_t addresses[FRAMES_MAX];
    size_t count = 0;
    const char *at = strchr(line, '@');
    for (char *end = NULL; at != NULL && count < FRAMES_MAX; at = end) {
        addresses[count] = strtoull(at + 1, &end, 16);
        if (end == at + 1) {
            break;
        }
        count++;
        end--; // the next number begins behind one character
        if (end[1] != ' ') {
            break;
        }
        end++;
    }
    profile->stacks = grow(profile->stacks, profile->count, sizeof(*profile->stacks));
    struct heap_stack *const stack = &profile->stacks[profile->count++];
    *stack = (struct heap_stack){.count = count};
    stack->addresses = tool_allocate((count + 1) * sizeof(*addresses));
    memcpy(stack->addresses, addresses, count * sizeof(*addresses));
}

static void add_counts(struct heap_profile *profile, const char *line)
{
    if (profile->count == 0) {
        return;
    }
    struct heap_count *const counts = profile->stacks[profile->count - 1].counts;
    char *at = NULL;
    const char *from = line + 2;
    for (size_t kind = 0; kind < HEAP_KINDS; kind++) {
        counts[kind].blocks = strtoull(from, &at, 10);
        counts[kind].bytes = strtoull(at, &at, 10);
        from = at;
    }
}

static void add_mapping(struct mappings *mappings, const char *line)
{
    struct mapping mapping = {0};
    int path_at = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %" SCNu64 " %n", &mapping.start,
               &mapping.end, mapping.permissions, &mapping.file_offset, &mapping.inode,
               &path_at) < 5) {
        return;
    }
    const char *const path = path_at != 0 ? line + path_at : "";
    const size_t bytes = strlen(path) + 1;
    mapping.path = memcpy(tool_allocate(bytes), path, bytes);
    text_make_printable(mapping.path);
    mappings->array = grow(mappings->array, mappings->count, sizeof(*mappings->array));
    mappings->array[mappings->count++] = mapping;
}

static void add_fact(struct heap_profile *profile, const char *line)
{
    static const struct {
        const char *name;
        size_t offset;
    } facts[] = {{"# process: ", offsetof(struct heap_profile, pid)},
                 {"# began: ", offsetof(struct heap_profile, began)},
                 {"# written: ", offsetof(struct heap_profile, written)},
                 {"# bytes per sample: ", offsetof(struct heap_profile, bytes_per_sample)},
                 {"# bytes from before: ", offsetof(struct heap_profile, before_bytes)},
                 {"# samples without room: ", offsetof(struct heap_profile, lost)}};
    static const char command[] = "# command: ";
    if (strncmp(line, command, sizeof(command) - 1) == 0) {
        free(profile->command);
        profile->command = strdup(line + sizeof(command) - 1);
        const size_t bytes = strlen(profile->command);
        if (bytes != 0 && profile->command[bytes - 1] == ' ') { // behind the last argument
            profile->command[bytes - 1] = 0;
        }
        text_make_printable(profile->command);
    }
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        const size_t bytes = strlen(facts[i].name);
        if (strncmp(line, facts[i].name, bytes) == 0) {
            const uint64_t value = strtoull(line + bytes, NULL, 10);
            memcpy((char *)profile + facts[i].offset, &value, sizeof(value));
        }
    }
}

static bool read_lines(struct heap_profile *profile, char *text)
{
    bool is_ours = false;
    bool has_mappings = false;
    char *rest = NULL;
    const bool is_profile = strncmp(text, "heap profile: ", 14) == 0;
    for (char *line = strtok_r(text, "\n", &rest); is_profile && line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (has_mappings) {
            add_mapping(&profile->mappings, line);
        } else if (strcmp(line, "MAPPED_LIBRARIES:") == 0) {
            has_mappings = true;
        } else if (line[0] >= '0' && line[0] <= '9') {
            add_stack(profile, line);
        } else if (strncmp(line, "#= ", 3) == 0) {
            add_counts(profile, line);
        } else if (line[0] == '#') {
            is_ours |= strcmp(line, "# myalloc profile: 1") == 0;
            add_fact(profile, line);
        }
    }
    return is_ours && has_mappings;
}

bool heap_profile_read(struct heap_profile *profile, const char *path)
{
    struct text file = {0};
    *profile = (struct heap_profile){0};
    const int error = text_read_path(&file, path, HEAP_PROFILE_BYTES_MAX);
    if (error != 0) {
        tool_warn("%s: %s", path, strerror(error));
    } else {
        text_put(&file, "");
        if (file.data == NULL || !read_lines(profile, file.data)) {
            tool_warn("%s: this is no heap profile of libmyalloc.so, or not a whole one", path);
            heap_profile_free(profile);
            text_free(&file);
            return false;
        }
    }
    text_free(&file);
    if (profile->command == NULL) {
        profile->command = strdup("");
    }
    return error == 0;
}

void heap_profile_free(struct heap_profile *profile)
{
    for (size_t i = 0; i < profile->count; i++) {
        free(profile->stacks[i].addresses);
    }
    free(profile->stacks);
    free(profile->command);
    procfs_mappings_free(&profile->mappings);
    *profile = (struct heap_profile){0};
}

struct heap_count heap_profile_sum(const struct heap_profile *profile, enum heap_kind kind)
{
    struct heap_count sum = {0};
    for (size_t i = 0; i < profile->count; i++) {
        sum.blocks += profile->stacks[i].counts[kind].blocks;
        sum.bytes += profile->stacks[i].counts[kind].bytes;
    }
    return sum;
}
