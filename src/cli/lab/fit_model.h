/* fit_model.h - a small model of a heap: pieces in a row, and the policies that choose among them.
 */
#ifndef CLI_LAB_FIT_MODEL_H
#define CLI_LAB_FIT_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#define FIT_UNITS_MAX 4096
#define FIT_SLAB      16 // units of a slab of the segregated policy

enum fit_policy { FIT_FIRST, FIT_BEST, FIT_SEGREGATED, FIT_POLICIES };

struct fit_piece {
    short start;     // first unit
    short length;    // units
    short asked;     // units that were asked for; less than length: waste inside
    char letter;     // name of the block; 0: the piece is free
    short slab_size; // units per block of the slab to which it belongs; 0: none
};

struct fit_heap {
    enum fit_policy policy;                 // [const]
    bool coalesces;                         // [const] free neighbours become one piece
    int units;                              // [const] size of the heap
    int count;                              // pieces
    struct fit_piece pieces[FIT_UNITS_MAX]; // addresses ascending, no gaps
    long looks;                             // pieces looked at by all searches
    long searches;
};

struct fit_figures {
    int free_units;
    int free_piece_max; // the longest piece that is free, as the policy sees it
    int wasted_inside;  // units of blocks beyond what was asked for
};

void fit_init(struct fit_heap *heap, enum fit_policy policy, int units, bool coalesces);

/* Returns the first unit of the block, or -1 if no piece fits. */
int fit_take(struct fit_heap *heap, int units, char letter);

/* Free the block that starts at this unit. */
void fit_give(struct fit_heap *heap, int start);

struct fit_figures fit_measure(const struct fit_heap *heap);

/* Write one character per unit: the letter of its block, '+' for waste inside of it, '.' for free.
 */
void fit_draw(const struct fit_heap *heap, char *line);

#endif
