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
#define FREE_WRITTEN    "corrupted free list at"
#define EXCESS_FREE     "too many frees in the slab of"
#define WRITE_FREED     "write to a freed block:"
#define WRITE_BEHIND    "write past the end of"
#define WRITE_BEFORE    "write before the beginning of"
#define ACCESS_FREED    "access to a freed block:"
#define ACCESS_BEFORE   "access before the beginning of"
#define ACCESS_BEHIND   "access past the end of"
#define WRONG_SIZE      "free with the wrong size or alignment:"
#define WRONG_LOOK      "malloc_usable_size of an invalid pointer:"
#define POOL_BLOCK      "free of a pool block:"
#define POOL_FOREIGN    "free into a pool that does not own it:"
#define POOL_DEAD       "use of a destroyed pool:"

#endif
