/* tables.c - where the counts are, for readers of our memory: the entry point, and general tables.
 *
 * Owns:       the ELF note that leads to all tables; no code.
 * Threads:    none here; readers are other processes.
 */
#include "inspect/tables.h"

#include "base/tables.h"
#include "core/slot_data.h"
#include "core/size_class.h"
#include "hardened/harden.h"
#include "hardened/hslab.h"
#include "pages/page_map.h"

// The linker defines start and stop symbols for a section whose name is a C identifier.
__asm__(".pushsection .note.myalloc, \"a\", @note\n"
        ".balign 4\n"
        ".long 8, 12, 1\n" // MYALLOC_NOTE_TABLES
        ".asciz \"myalloc\"\n"
        ".hidden __start_myalloc_tables\n"
        ".hidden __stop_myalloc_tables\n"
        ".long __start_myalloc_tables - .\n"
        ".long __stop_myalloc_tables - .\n"
        ".long 1\n" // MYALLOC_TABLES_VERSION
        ".popsection");
static_assert(MYALLOC_NOTE_TABLES == 1 && MYALLOC_TABLES_VERSION == 1, "as in the note");

#define IS_ALIKE(a, b) ((int)(a) == (int)(b))
static_assert(IS_ALIKE(MYALLOC_CHUNK_IS_FREE, CHUNK_FREE) &&
                  IS_ALIKE(MYALLOC_CHUNK_SLAB, CHUNK_SLAB) &&
                  IS_ALIKE(MYALLOC_CHUNK_LARGE, CHUNK_LARGE) &&
                  IS_ALIKE(MYALLOC_CHUNK_PLACED, CHUNK_PLACED) &&
                  IS_ALIKE(MYALLOC_CHUNK_POOL, CHUNK_POOL) &&
                  IS_ALIKE(MYALLOC_CHUNK_HSLAB, CHUNK_HSLAB) &&
                  IS_ALIKE(MYALLOC_CHUNK_GUARDED, CHUNK_GUARDED) &&
                  IS_ALIKE(MYALLOC_CHUNK_BODY, CHUNK_BODY),
              "as readers know them");

TABLE(classes, .id = MYALLOC_TABLE_CLASSES, .address = g_size_classes, .count = CLASSES,
      .bytes = sizeof(struct size_class),
      .fields = {offsetof(struct size_class, block_bytes), offsetof(struct size_class, slab_chunks),
                 offsetof(struct size_class, blocks)});

TABLE(map, .id = MYALLOC_TABLE_MAP, .address = &g_page_map, .bytes = sizeof(struct chunk),
      .count = 1,
      .fields = {offsetof(struct page_map, base), offsetof(struct page_map, chunks),
                 offsetof(struct page_map, entries), offsetof(struct page_map, dirty),
                 offsetof(struct chunk, state), offsetof(struct chunk, sc),
                 offsetof(struct chunk, free), offsetof(struct chunk, usable_bytes),
                 offsetof(struct chunk, length), offsetof(struct chunk, reached),
                 offsetof(struct chunk, purged), offsetof(struct chunk, carved)});

TABLE(slot, .id = MYALLOC_TABLE_SLOT, .address = &g_slots, .bytes = SLOT_BYTES, .count = SLOT_BINS,
      .fields = {offsetof(struct slot, loaded), offsetof(struct slot, spare),
                 offsetof(struct slot, handed), offsetof(struct slot, is_open),
                 offsetof(struct slot, next)});

TABLE(hslab, .id = MYALLOC_TABLE_HSLAB, .address = &g_harden, .bytes = sizeof(struct hslab),
      .count = HSLAB_EMPTY_CLASS,
      .fields = {offsetof(struct hslab, start), offsetof(struct hslab, sc),
                 offsetof(struct hslab, first), offsetof(struct hslab, opened),
                 offsetof(struct hslab, records)});
