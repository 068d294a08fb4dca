/* symbol.h - finds functions of libc and of the vDSO, even if their names are interposed.
 *
 * Mostly without the dynamic linker: it holds its locks while constructors run, and these may wait
 * for a thread that frees.
 */
#ifndef BASE_SYMBOL_H
#define BASE_SYMBOL_H

#include <stdint.h>

// The function that libc itself exports under this name; NULL: unknown, as always before glibc
// 2.35.
void *symbol_of_libc(const char *name);

// Calls dlsym() of libc itself; `handle` may be RTLD_NEXT, which means after our library. Takes the
// dynamic linker's locks.
void *symbol_behind(void *handle, const char *name);

// The .eh_frame_hdr of the object that contains this code address; NULL: none, or unknown, as
// always before glibc 2.35. Takes no lock.
const void *symbol_unwind_rows(uintptr_t code);

// The vDSO function of this name; NULL: there is none.
void *symbol_of_kernel(const char *name);

#endif
