/* process.h - what the kernel says about this process, read without allocating. */
#ifndef TEST_SUPPORT_PROCESS_H
#define TEST_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

size_t process_rss_bytes(void);
size_t process_map_count(void);

/* Bytes of the mapping that the kernel calls [heap]; 0 when there is none. */
size_t process_heap_bytes(void);

/* True when a line of the memory map ends with SUFFIX. */
bool process_maps_file(const char *suffix);

/* True when the mapping around ADDRESS has FLAG, two letters, among its VmFlags. */
bool process_mapping_has_flag(const void *address, const char *flag);

#endif
