/* symbol.h - functions of libc and of the kernel's own library, whoever else has taken their names.
 *
 * Mostly without the dynamic linker: its locks are held while constructors run, which may wait for
 * a thread that frees.
 */
#ifndef BASE_SYMBOL_H
#define BASE_SYMBOL_H

#include <stdint.h>

// The function that libc itself exports under this name; NULL: unknown, as before glibc 2.35.
void *symbol_of_libc(const char *name);

// dlsym() of libc itself; as there, `handle` may be RTLD_NEXT, which is: behind our library. Takes
// the linker's locks.
void *symbol_behind(void *handle, const char *name);

// The .eh_frame_hdr of the object that has this address of code; NULL: none, or unknown, as before
// glibc 2.35. Takes no lock.
const void *symbol_unwind_rows(uintptr_t code);

// The function that the kernel maps into each process; NULL: there is none.
void *symbol_of_kernel(const char *name);

#endif
