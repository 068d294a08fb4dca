/* numbers.h - the numbers of a JSON object that one of our commands wrote, by name. */
#ifndef CLI_RENDER_NUMBERS_H
#define CLI_RENDER_NUMBERS_H

#include "cli/render/text.h"

struct number {
    char *name;   // [owner] "heap.live_bytes", "heap.classes[32].slabs"; printable
    double value; // [const]
};

struct numbers {
    struct number *array; // [owner] in the order of the file
    size_t count;         // [owner]
};

/* Read the last object of `json` that begins a line.  Returns false and a sentence in `why` if that
 * is no JSON.  An element of an array takes the value of its first member for its name; elements of
 * the same name are added up. */
bool numbers_read(struct numbers *numbers, const char *json, struct text *why);
void numbers_free(struct numbers *numbers);

/* NULL if there is none of this name. */
const struct number *numbers_find(const struct numbers *numbers, const char *name);

#endif
