/* world.h - what lies around the depot in a scene: three slabs of four blocks, a page heap that
 * watches, two CPUs, and users who write into each block that they hold.
 *
 * At every end each block must be in one place, and when all is then freed, each slab must have
 * gone back to the page heap as often as it was taken.
 */
#ifndef TEST_MODEL_WORLD_H
#define TEST_MODEL_WORLD_H

#include "core/slot.h"
#include "model/explore.h"

#include <stdbool.h>
#include <stddef.h>

enum { BLOCKS = 4, BLOCK_BYTES = 4096, SLABS = 3, CPUS = 2, HELD_MAX = 8 };

/* Three classes of the same blocks; their slabs span more or fewer chunks, so that the depot takes
 * them for small, for large from two slabs on, or for large always. */
enum { SMALL = SMALL_CLASSES - 3, EDGE = SMALL_CLASSES - 2, LARGE = SMALL_CLASSES - 1 };

/* Blocks in the hands of one thread. */
struct hand {
    void *blocks[HELD_MAX];
    unsigned count;
};
extern struct hand g_hands[THREADS_MAX];

extern unsigned g_class;     // of this scene
extern unsigned g_slabs_max; // so many the page heap has

void world_make_memory(void); // before all scenes
/* The first step of a scene. */
void world_begin(unsigned sc, enum slot_kind kind);
extern struct memory g_memory_words; // the first word of each block

/* Fills a hand from the depot. */
void world_fill(unsigned thread, unsigned count);

struct hand *hand_mine(void);
void hand_put(struct hand *hand, void *block);
/* The block that was put in last; NULL: none. */
void *hand_get(struct hand *hand);
/* So many of them as a list, at most all. */
list_word hand_list(struct hand *hand, unsigned count);

/* The thread ends: destructors of keys run. */
void world_exit_thread(void);
/* Another CPU runs a thread from now on. */
void world_move(unsigned thread, unsigned cpu);

/* Every block is in at most one place; `is_whole`: in exactly one, as when nobody works. */
void world_require_places(bool is_whole);
/* Frees everything: all slabs are with the page heap. */
void world_end(void);

#endif
