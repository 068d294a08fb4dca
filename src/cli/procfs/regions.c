/* regions.c - from lines of /proc/PID/maps to the words of a text book.
 *
 * Owns:       the rules and the sentences.
 * Threads:    one.
 * Invariants: REGIONS-1  every mapping gets exactly one kind, so the sums of the kinds are the
 *                        totals.
 *             REGIONS-2  a guess says that it is one ("probably").
 */
#include "cli/procfs/regions.h"

#include "cli/tool.h"

#include <string.h>

#define GUARD_BYTES_MAX (64u << 10)
#define ARENA_BYTES     (64ull << 20) // glibc aligns the heaps of further threads to this

static const struct {
    const char *name;
    enum colour colour;
} g_kinds[REGION_KINDS] = {
    [REGION_TEXT] = {"text", COLOUR_BLUE},   [REGION_RODATA] = {"rodata", COLOUR_CYAN},
    [REGION_DATA] = {"data", COLOUR_YELLOW}, [REGION_BSS] = {"bss", COLOUR_YELLOW},
    [REGION_HEAP] = {"heap", COLOUR_RED},    [REGION_ANON] = {"anon", COLOUR_MAGENTA},
    [REGION_FILE] = {"file", COLOUR_NONE},   [REGION_SHARED] = {"shared", COLOUR_GREEN},
    [REGION_STACK] = {"stack", COLOUR_BOLD}, [REGION_RESERVED] = {"reserved", COLOUR_DIM},
    [REGION_VDSO] = {"vdso", COLOUR_DIM},
};

const char *region_kind_name(enum region_kind kind)
{
    return g_kinds[kind].name;
}

enum colour region_kind_colour(enum region_kind kind)
{
    return g_kinds[kind].colour;
}

static bool starts_with(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

/* A file is taken for a program or library when some part of it is executable. */
static bool is_program_file(const struct mappings *mappings, const struct mapping *m)
{
    for (size_t i = 0; i < mappings->count; i++) {
        const struct mapping *const other = &mappings->array[i];
        if (other->permissions[2] == 'x' && strcmp(other->path, m->path) == 0) {
            return true;
        }
    }
    return false;
}

static void set(struct region *region, enum region_kind kind, const char *sentence)
{
    region->kind = kind;
    region->sentence = sentence;
}

static void classify_special(struct region *region, const char *path)
{
    if (strcmp(path, "[heap]") == 0) {
        set(region, REGION_HEAP,
            "The heap that grows and shrinks at the program break (brk, sbrk); malloc takes small "
            "blocks from it.");
    } else if (starts_with(path, "[stack")) {
        set(region, REGION_STACK,
            "The main thread's stack: local variables and return addresses; the kernel makes it "
            "longer when it is touched.");
    } else if (strcmp(path, "[vdso]") == 0) {
        set(region, REGION_VDSO,
            "Code that the kernel lends to the program, so that the time is read without a system "
            "call.");
    } else if (starts_with(path, "[vvar")) {
        set(region, REGION_VDSO,
            "Data of the kernel that the code in [vdso] reads, such as the clock.");
    } else if (strcmp(path, "[vsyscall]") == 0) {
        set(region, REGION_VDSO, "The old fixed place of [vdso], kept for old programs.");
    } else {
        set(region, REGION_ANON, "Anonymous memory with a name that the program gave it by prctl.");
    }
}

static void classify_shared(struct region *region, const struct mapping *m)
{
    if (strstr(m->path, "/myalloc.") != NULL || strstr(m->path, "/myalloc/") != NULL) {
        set(region, REGION_SHARED,
            "The live page of libmyalloc: the library writes its counters here and this command "
            "reads them.");
    } else if (starts_with(m->path, "/dev/zero") || starts_with(m->path, "/memfd:") ||
               starts_with(m->path, "/dev/shm/") || starts_with(m->path, "/SYSV")) {
        set(region, REGION_SHARED,
            "Shared memory without a file on a disk (MAP_SHARED): every process that maps it sees "
            "the same bytes.");
    } else if (m->permissions[1] == 'w') {
        set(region, REGION_SHARED,
            "A file mapped shared and writable: a store reaches the file, and msync says when.");
    } else {
        set(region, REGION_SHARED,
            "A file mapped shared and read-only: its pages are those of the page cache.");
    }
}

static void classify_file(struct region *region, const struct mapping *m, bool is_program)
{
    if (m->permissions[2] == 'x') {
        set(region, REGION_TEXT,
            "Machine code from the file, read-only, so that all processes share one copy in "
            "memory.");
    } else if (is_program && m->permissions[1] == 'w') {
        set(region, REGION_DATA,
            "Variables with a first value in the file; a page becomes the process's own copy when "
            "it is written.");
    } else if (is_program) {
        set(region, REGION_RODATA,
            "Constants, strings and tables of the linker from the file, or data made read-only "
            "after the start.");
    } else if (m->permissions[1] == 'w') {
        set(region, REGION_FILE,
            "A file mapped private and writable: a store makes an own copy and never reaches the "
            "file.");
    } else {
        set(region, REGION_FILE,
            "A file mapped for reading (MAP_PRIVATE): the page cache serves as memory.");
    }
}

/* A few pages without rights, as pthread_create puts them under a stack; reserves are larger. */
static bool is_guard(const struct mapping *m)
{
    return m->inode == 0 && m->permissions[0] == '-' && m->end - m->start <= GUARD_BYTES_MAX;
}

static bool is_private_data(const struct mapping *m)
{
    return m->inode != 0 && m->permissions[1] == 'w' && m->permissions[3] == 'p';
}

static void classify_anonymous(struct region *region, const struct mapping *m,
                               const struct mapping *before)
{
    const bool follows = before != NULL && before->end == m->start;
    const bool is_rw = m->permissions[0] == 'r' && m->permissions[1] == 'w';
    if (m->permissions[0] == '-' && m->permissions[1] == '-') {
        set(region, REGION_RESERVED,
            "Addresses without memory (PROT_NONE): a guard that stops overruns, or room kept for "
            "later; costs nothing.");
    } else if (m->permissions[2] == 'x') {
        set(region, REGION_ANON,
            "Anonymous memory that may be executed: code made at run time (JIT).");
    } else if (is_rw && follows && is_private_data(before)) {
        set(region, REGION_BSS,
            "Variables that start as zero: not in the file, the kernel gives zeroed pages when "
            "they are touched.");
    } else if (is_rw && m->start % ARENA_BYTES == 0) {
        set(region, REGION_ANON,
            "Anonymous memory at a multiple of 64 MiB: probably an arena that glibc's malloc made "
            "for a further thread.");
    } else if (is_rw && follows && is_guard(before)) {
        set(region, REGION_ANON,
            "Anonymous memory above a guard: probably the stack of a further thread.");
    } else {
        set(region, REGION_ANON,
            "Anonymous memory from mmap: large blocks of malloc, or memory that the program or a "
            "library mapped itself.");
    }
}

/* What the library itself says about the range goes before every guess. */
static bool classify_ours(struct region *region, const struct myalloc_live *page)
{
    const struct mapping *const m = region->mapping;
    for (size_t i = 0; page != NULL && i < MYALLOC_LIVE_REGIONS_MAX; i++) {
        const struct myalloc_live_region *const r = &page->regions[i];
        const uint64_t kind = r->kind;
        if (kind == MYALLOC_LIVE_REGION_UNUSED || r->base >= m->end ||
            r->base + r->bytes <= m->start) {
            continue;
        }
        if (kind == MYALLOC_LIVE_REGION_BRK) {
            set(region, REGION_HEAP,
                "libmyalloc's heap on the program break: chunks of 16 KiB, cut into small and "
                "medium blocks or given out whole.");
        } else if (kind == MYALLOC_LIVE_REGION_TABLE) {
            set(region, m->permissions[0] == '-' ? REGION_RESERVED : REGION_ANON,
                "libmyalloc's bookkeeping: tables about the heap, kept outside of it and made "
                "longer as it grows.");
        } else if (m->permissions[0] == '-') {
            set(region, REGION_RESERVED,
                "Addresses that libmyalloc keeps for its heap to grow into.");
        } else if (kind == MYALLOC_LIVE_REGION_MMAP) {
            set(region, REGION_HEAP,
                "A heap of libmyalloc on mmap, in place of the program break.");
        } else if (kind == MYALLOC_LIVE_REGION_BACKED) {
            set(region, REGION_SHARED,
                "A huge block of libmyalloc in a file without a name (backing:DIR): the kernel "
                "writes it there when memory is short.");
        } else if (kind == MYALLOC_LIVE_REGION_CACHED) {
            set(region, REGION_ANON, "A freed huge block that libmyalloc keeps for the next one.");
        } else {
            set(region, REGION_ANON,
                "A huge block of libmyalloc: it has a mapping of its own, which free gives back.");
        }
        return true;
    }
    return false;
}

struct region *regions_classify(const struct mappings *mappings, const struct myalloc_live *page)
{
    struct region *const regions = tool_allocate(mappings->count * sizeof(*regions));
    for (size_t i = 0; i < mappings->count; i++) {
        const struct mapping *const m = &mappings->array[i];
        struct region *const region = &regions[i];
        region->mapping = m;
        if (classify_ours(region, page)) {
            continue;
        }
        if (m->path[0] == '[') {
            classify_special(region, m->path);
        } else if (m->permissions[3] == 's') {
            classify_shared(region, m);
        } else if (m->path[0] != 0) {
            classify_file(region, m, is_program_file(mappings, m));
        } else {
            classify_anonymous(region, m, i != 0 ? &mappings->array[i - 1] : NULL);
        }
    }
    return regions;
}
