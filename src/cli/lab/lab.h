/* lab.h - how every experiment speaks: numbered steps, what is seen, why; in English or Korean. */
#ifndef CLI_LAB_LAB_H
#define CLI_LAB_LAB_H

#include "cli/options.h"
#include "cli/procfs/procfs.h"

struct lab {
    FILE *out;            // [const]
    bool is_korean;       // [const] picks the right side of every `is_korean ? "..." : "..."`
    bool is_coloured;     // [const]
    bool is_json;         // [const] one object per step, line and paragraph
    bool is_automatic;    // [owner] do not wait for the Enter key
    double pause_seconds; // [const] wait this long at each step; 0: for the Enter key
    pid_t pids[2];        // [owner] the processes to look at; 0: no further one
    unsigned step;        // [owner] number of the step that was begun last
};

/* Begin the next step with a line that tells what is done; before all but the first there is time
 * to look at the processes. */
void lab_step(struct lab *lab, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The time to look, where somebody wants it: for the last step, which no other follows. */
void lab_wait(struct lab *lab);

/* A line of what is measured, indented and not wrapped. */
void lab_show(struct lab *lab, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A paragraph, wrapped: why it is so. */
void lab_say(struct lab *lab, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What the kernel tells about an address of ours; the mapping is valid until the next call.  NULL
 * if the address is in no mapping. */
const struct mapping *lab_find_mapping(const void *address);

/* The resident bytes of this process, and its page faults so far; neither allocates. */
uint64_t lab_resident_bytes(void);
uint64_t lab_page_faults(void);

/* The experiments; each returns an exit code. */
int lab_layout(struct lab *lab);
int lab_brk(struct lab *lab);
int lab_mmap(struct lab *lab);
int lab_pool(struct lab *lab);
int lab_heap(struct lab *lab);
int lab_fit(struct lab *lab);

/* The program that lab_heap runs, once per allocator; not for people. */
int lab_heap_subject(void);

#endif
