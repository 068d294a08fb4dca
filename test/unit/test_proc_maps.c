/* test_proc_maps.c - what an address is: a wrong free of it ends the program, or may be another
 * allocator's.
 */
#include "base/proc_maps.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BYTES = 1 << 20 };

static struct proc_maps_place look(const void *address)
{
    struct proc_maps_place place;
    proc_maps_find(address, &place);
    return place;
}

Test(proc_maps, code_and_data_are_of_a_file)
{
    static int g_data = 1;
    struct proc_maps_place code = look((const void *)look);
    cr_assert_eq(code.kind, PROC_MAPS_FILE);
    cr_assert_gt(code.path.used, strlen("/"));
    cr_assert_eq(look("a constant").kind, PROC_MAPS_FILE);
    cr_assert_eq(look(&g_data).kind, PROC_MAPS_FILE);
}

Test(proc_maps, the_stack_of_the_main_thread_has_a_name)
{
    char here = 0;
    cr_assert_eq(look(&here).kind, PROC_MAPS_STACK);
}

/* MAPS-1: a message must not cost the program a descriptor. */
Test(proc_maps, no_descriptor_stays_open)
{
    int before = dup(0);
    close(before);
    look(&before);
    proc_maps_copy(before); // not open: the error ends it
    int after = dup(0);
    cr_assert_eq(after, before);
    close(after);
}

Test(proc_maps, bounds_are_those_of_the_mapping)
{
    char *start = mmap(NULL, 3 * BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_eq(mprotect(start + BYTES, BYTES, PROT_READ | PROT_WRITE), 0);
    struct proc_maps_place place = look(start + BYTES + 100);
    cr_assert_eq(place.kind, PROC_MAPS_ANONYMOUS);
    cr_assert_eq(place.start, (uintptr_t)start + BYTES);
    cr_assert_eq(place.end, (uintptr_t)start + 2 * BYTES);
    cr_assert_eq(look(start + BYTES).start, place.start);
    cr_assert_eq(look(start + 2 * BYTES - 1).end, place.end);
    munmap(start, (size_t)3 * BYTES);
    cr_assert_eq(look(start).kind, PROC_MAPS_NOTHING);
}

/* Other allocators have their blocks there, though the kernel gives it names like those of files.
 */
Test(proc_maps, memory_with_a_name_is_no_file)
{
    int fd = memfd_create("heap", 0);
    cr_assert_eq(ftruncate(fd, BYTES), 0);
    void *shared = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    void *private = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    cr_assert_eq(look(shared).kind, PROC_MAPS_ANONYMOUS);
    cr_assert_eq(look(private).kind, PROC_MAPS_ANONYMOUS);
    void *huge = mmap(NULL, 2 * BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    cr_assert(huge == MAP_FAILED || look(huge).kind == PROC_MAPS_ANONYMOUS);
}
