/* messages.h - every text with which the library ends a program: the contract of base/fatal.c. */
#ifndef TEST_CORRUPTION_MESSAGES_H
#define TEST_CORRUPTION_MESSAGES_H

#define FATAL_PREFIX "myalloc: fatal: "

/* Followed by the address. */
#define DOUBLE_FREE     "double free of"
#define INTERIOR_FREE   "free of a pointer inside a block:"
#define MISALIGNED_FREE "free of a misaligned pointer:"
#define INVALID_FREE    "free of an invalid pointer:"
#define FOREIGN_FREE    "free of a foreign pointer:"
#define REALLOC_FREED   "realloc of a freed block:"
#define FREE_WRITTEN    "write to a free block behind"
#define EXCESS_FREE     "more frees than blocks in the slab of"
#define WRITE_FREED     "write to a freed block:"
#define WRITE_BEHIND    "write behind the end of"
#define WRITE_BEFORE    "write before the beginning of"
#define ACCESS_FREED    "access to a freed block:"
#define ACCESS_BEFORE   "access before the beginning of"
#define ACCESS_BEHIND   "access behind the end of"
#define WRONG_SIZE      "free with a wrong size or alignment of"
#define WRONG_LOOK      "malloc_usable_size of no block in use:"
#define POOL_BLOCK      "free of a block of a pool:"
#define POOL_FOREIGN    "free into a pool that does not have it:"
#define POOL_DEAD       "use of a destroyed pool:"

#endif
