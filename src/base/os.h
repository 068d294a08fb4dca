/* os.h - every system call that we make (but those of line.c, proc_maps.c, request.c).
 *
 * Nothing here changes errno. Failures are NULL or false. In debug builds os_fail_after() makes
 * calls fail on demand.
 */
#ifndef BASE_OS_H
#define BASE_OS_H

#include "base/config.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes of a page, asked once; MYALLOC_FORCE_PAGE overrides.
size_t os_page_bytes(void);

// The program break, through glibc's sbrk: glibc caches the break, and a raw system call behind
// its back would let the next foreign sbrk cut our heap off.
void *os_break(void);                // where it is; NULL when there is none
void *os_break_move(intptr_t bytes); // the old break, NULL when refused

// Fresh zeroed private memory. `hint` NULL: anywhere.
void *os_map(void *hint, size_t bytes);
// Addresses without memory; they count for no limit on memory in use.
void *os_map_none(size_t bytes);
// As os_map, but exactly at `address`, or NULL.
void *os_map_at(void *address, size_t bytes);
// An address in the wide hole between the program and its mappings, different in each process, with
// room of 2 TiB behind it; `place` 0 to 7 are far from each other.
void *os_hole_address(unsigned place);
// Moves a mapping to where another one is, which is gone.
void os_move(void *from, void *to, size_t bytes);
void os_unmap(void *start, size_t bytes);
// Resizes a mapping, moving it when it must; NULL when it cannot be, the old one then stays.
void *os_remap(void *start, size_t old_bytes, size_t new_bytes);

// Gives the pages back, keeps the addresses; they read as zero afterwards. False: still there.
bool os_purge(void *start, size_t bytes);
// Tells of each page whether it is in memory, in the lowest bit of a byte each; how many pages
// these are, 0: unknown.
size_t os_residence(void *start, size_t bytes, unsigned char *pages);
// Makes pages unreadable, or usable again; what they hold stays. False: refused.
bool os_protect(void *start, size_t bytes, bool is_usable);
// Hides pages by marks in the page table, which costs a mapping nothing, and empties them; or takes
// the marks away. False: the kernel, older than 6.13, has none, or refuses.
bool os_mark_hidden(void *start, size_t bytes, bool is_hidden);
uint64_t os_random(void); // each time another; made from the secret that a process starts with
// Asks for huge pages where the system gives them on request; whether it does is its affair.
void os_huge_pages(void *start, size_t bytes);

// Holds back all signals of this thread; *old is what os_signals_restore needs.
void os_signals_block(uint64_t *old);
void os_signals_restore(const uint64_t *old);

// A handler of a fault: for this signal, on its own stack when there is one; *before: the last one.
void os_signal_take(int signal, void (*handler)(int, siginfo_t *, void *),
                    struct sigaction *before);
void os_signal_default(int signal);
const void *os_context_code(const void *context); // where the fault happened; NULL: unknown

void os_futex_wait(_Atomic(uint32_t) *word, uint32_t value);
void os_futex_wake(_Atomic(uint32_t) *word);
void os_sleep_ms(void); // for one
void os_cpu_relax(void);

uint64_t os_now_ns(void); // monotonic

const char *os_env(const char *name); // NULL when absent or under AT_SECURE
const char *os_program_name(void);    // last part of the path that was executed

// Files, for reports. Descriptors are closed by exec; -1 and 0 tell of failure.
int os_create(const char *path);        // mode 0600, follows no link
bool os_truncate(int fd, size_t bytes); // also makes it longer
bool os_extend(int fd, size_t offset,
               size_t bytes); // with room on the disk, so that stores succeed
void *os_map_file(int fd, size_t offset, size_t bytes); // shared: the kernel keeps what is stored
bool os_make_directory(const char *path);               // true: it is there and only ours
int os_keep_descriptor(int fd);                         // a duplicate out of everybody's way
uint64_t os_file_id(int fd);                            // tells files from each other
void os_close(int fd);
int os_open_unnamed(const char *directory); // a file that nobody else can open; negative: the errno
// Room on the disk for this part of a file, so that no store fails later; the errno, 0 for done.
int os_allocate(int fd, size_t offset, size_t bytes);
// Maps a part of a file in place of what is at `start`; private: without a reserve of memory.
bool os_map_file_at(void *start, size_t bytes, int fd, size_t offset, bool is_shared);
int os_open_file(const char *path, bool writes); // makes it when it writes; negative: the errno
size_t os_file_bytes(int fd);                    // 0 also when it cannot be told
long os_map_whole_file(int fd, size_t bytes, bool writes); // shared, or private to read; -errno
int os_sync(void *start, size_t bytes);                    // the errno, 0 for done
bool os_remove(void *start, size_t bytes); // frees the disk behind a shared mapping of a file
void os_unlink(const char *path);

// Sends every thread of the process that is inside of a restartable sequence to its abort address.
// False: the kernel cannot, or may not. Only on explicit requests: a sandbox may kill for it.
bool os_restart_sequences(void);

uint64_t os_boot_ns(void); // since boot, sleep included: comparable between processes
uint64_t os_seconds(void); // since 1970
uint32_t os_process_id(void);
// Ends the process as it is: no handlers.
_Noreturn void os_exit(int status);
uint32_t os_thread_id(void);
uint32_t os_user_id(void); // effective

// Debug builds: the n-th system call from now that can fail does (n = 1 is the next); a negative n
// lets all from the -n-th on fail; 0 none.
void os_fail_after(long n);

#endif
