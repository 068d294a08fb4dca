/* heap_profile.h - the file that the library writes (profile:1): who holds the memory. */
#ifndef CLI_COMMANDS_HEAP_PROFILE_H
#define CLI_COMMANDS_HEAP_PROFILE_H

#include "cli/procfs/procfs.h"

#define HEAP_PROFILE_BYTES_MAX (256UL << 20) // of a file

enum heap_kind { HEAP_IN_USE, HEAP_AT_PEAK, HEAP_IN_ALL, HEAP_KINDS };

struct heap_count {
    uint64_t blocks, bytes;
};

struct heap_stack {
    uint64_t *addresses; // [owner] return addresses, the innermost first
    size_t count;
    struct heap_count counts[HEAP_KINDS]; // scaled: of all blocks that the samples stand for
};

struct heap_profile {
    char *command; // [owner] printable
    uint64_t pid, began, written, bytes_per_sample, before_bytes, lost;
    struct heap_stack *stacks; // [owner]
    size_t count;
    struct mappings mappings; // [owner] of the process when it was written
};

/* Read a file; false, and why on stderr, if it is none. */
bool heap_profile_read(struct heap_profile *profile, const char *path);
void heap_profile_free(struct heap_profile *profile);

/* The sum over all stacks. */
struct heap_count heap_profile_sum(const struct heap_profile *profile, enum heap_kind kind);

#endif
