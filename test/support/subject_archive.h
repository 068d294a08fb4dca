/* subject_archive.h - included first when a test is linked with the floor archives: the names of
 * the malloc family then mean the library's api_* functions, and libc's stay with the sanitizer. */
#ifndef TEST_SUPPORT_SUBJECT_ARCHIVE_H
#define TEST_SUPPORT_SUBJECT_ARCHIVE_H

#include <malloc.h>
#include <stdlib.h>

#include "front/api.h"
#include "front/report.h"

#define malloc             api_malloc
#define calloc             api_calloc
#define realloc            api_realloc
#define free               api_free
#define memalign           api_memalign
#define posix_memalign     api_posix_memalign
#define aligned_alloc      api_aligned_alloc
#define valloc             api_valloc
#define pvalloc            api_pvalloc
#define malloc_usable_size api_usable_size
#define malloc_trim        api_malloc_trim
#define mallopt            api_mallopt
#define mallinfo2()        api_mallinfo2()

#endif
