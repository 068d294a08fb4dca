/* options.h - MYALLOC_CONF=key:value,key:value: one table of options, read once at start-up.
 *
 * Each row of the table generates the field, parser, range check, help and man page entry.
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// NUMBER(key, default, least, most, help); WORD(key, default index, words, help), whose value is
// the index of the word; TEXT(key, help), a name of at most OPTION_TEXT_BYTES - 1 bytes.
#define OPTION_TEXT_BYTES 200
#define OPTIONS(NUMBER, WORD, TEXT)                                                                \
    NUMBER(brk, 1, 0, 1, "1: grow the heap by the program break; 0: by mmap only")                 \
    WORD(fit, 1, "first|best|segregated", "which free span serves a large request or a slab")      \
    NUMBER(purge, 1, 0, 1, "1: give free memory back to the kernel; 0: keep it")                   \
    NUMBER(background, 0, 0, 1,                                                                    \
           "1: a thread returns free memory once the program is quiet; 0: threads that free do")   \
    NUMBER(idle_ms, 1000, 1, 3600000, "milliseconds without a change that background:1 waits for") \
    WORD(                                                                                          \
        huge_pages, 1, "never|auto|always",                                                        \
        "huge pages where memory is written to all over; auto: in heaps beyond 8 MiB, as long as " \
        "they come quickly")                                                                       \
    NUMBER(huge_bytes, 0, 0, LIMIT_BYTES_MAX,                                                      \
           "requests from this size on get a mapping of their own (M_MMAP_THRESHOLD); 0: above "   \
           "1 MiB, later above the largest that was freed while few are in use")                   \
    NUMBER(                                                                                        \
        huge_max, 65536, 0, 65536,                                                                 \
        "most such mappings at a time (M_MMAP_MAX), the heap takes the rest; 65536: any number")   \
    NUMBER(                                                                                        \
        trim_bytes, 0, 0, 1UL << 40,                                                               \
        "free bytes at the end that lower the break (M_TRIM_THRESHOLD); 0: a share of the heap")   \
    NUMBER(top_pad_bytes, 0, 0, 1UL << 32,                                                         \
           "free bytes at the end that the break moves with, up and down (M_TOP_PAD)")             \
    NUMBER(perturb, 0, 0, 255,                                                                     \
           "fill new blocks with the complement of this byte, freed ones with it (M_PERTURB)")     \
    NUMBER(harden, 0, 0, 3,                                                                        \
           "catch misuse; 0: what costs nothing; 1, 2, 3: more and slower, see below")             \
    NUMBER(                                                                                        \
        guard, 0, 0, 1UL << 32,                                                                    \
        "one in so many blocks of up to a page lies between guard pages, say 100000, see below; "  \
        "0: none")                                                                                 \
    NUMBER(profile, 0, 0, 1,                                                                       \
           "1: sample from the start who allocates, and write it at exit, see below")              \
    NUMBER(profile_bytes, 512UL * 1024, 1, 1UL << 40,                                              \
           "bytes between two samples on average; 1: every block")                                 \
    TEXT(profile_file, "file that takes the profile at exit: %p pid, %e program, %t time; else "   \
                       "myalloc.%e.%p.heap")                                                       \
    NUMBER(profile_signal, 0, 0, 64,                                                               \
           "this signal starts the profile, and writes it while it is on, for `myalloc profile`")  \
    NUMBER(profile_leaks, 0, 0, 1, "1: tell at exit what is still in use, by the profile")         \
    WORD(cpu_cache, 0, "auto|id|cpu|thread",                                                       \
         "whose the caches are: concurrency ids (Linux 6.3), CPUs, or threads, without "           \
         "restartable sequences; auto: the first that is there")                                   \
    WORD(foreign, 0, "ignore|forward|abort",                                                       \
         "free of a pointer that is not ours: leak it with one warning, hand it to libc, or die")  \
    WORD(deepbind, 0, "strip|keep|warn", "what dlopen does with RTLD_DEEPBIND")                    \
    NUMBER(live, 0, 0, 4194304,                                                                    \
           "1: keep a live page for `myalloc top`; more: `myalloc run` removes it")                \
    TEXT(stats,                                                                                    \
         "1: numbers on stderr at exit; or the name of a file: %p pid, %e program, %t time")       \
    WORD(stats_format, 0, "text|json", "form of these numbers")                                    \
    TEXT(backing, "directory on a disk: huge blocks lie in a file there, without a name, and may " \
                  "outgrow RAM")                                                                   \
    TEXT(record, "name of a file that takes a trace of every call: %p pid, %e program, %t time")

enum foreign_policy { FOREIGN_IGNORE, FOREIGN_FORWARD, FOREIGN_ABORT };
enum stats_format { STATS_TEXT, STATS_JSON };
enum deepbind_policy { DEEPBIND_STRIP, DEEPBIND_KEEP, DEEPBIND_WARN };

struct options {
#define OPTION_FIELD_NUMBER(key, value, least, most, help) _Atomic(uint64_t) key;
#define OPTION_FIELD_WORD(key, value, words, help)         _Atomic(uint64_t) key;
#define OPTION_FIELD_TEXT(key, help)                       char key[OPTION_TEXT_BYTES];
    OPTIONS(OPTION_FIELD_NUMBER, OPTION_FIELD_WORD, OPTION_FIELD_TEXT)
#undef OPTION_FIELD_NUMBER
#undef OPTION_FIELD_WORD
#undef OPTION_FIELD_TEXT
};

// Texts: [const] after options_read(). Numbers: [atomic] for mallopt, which writes single ones
// while others read; reading one is a plain load.
extern HIDDEN struct options g_options;

// Reads MYALLOC_CONF. Each error writes one line to stderr and changes nothing.
void options_read(void);
// Parses one text in the form of MYALLOC_CONF into *options. For tests and fuzzing.
void options_parse(const char *text, struct options *options);
// Writes all keys with their values, defaults and help to a file descriptor, one per line.
void options_help(int fd);

#endif
