/* symbol.c - looks up names in the symbol table of one library, as the dynamic linker would.
 *
 * Owns:       nothing.
 * Threads:    any, also signal handlers.
 * Locks:      none.
 * Invariants: SYMBOL-1  only symbols that the library itself defines are found.
 */
#include "base/symbol.h"

#include "base/os_call.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern void __libc_free(void *ptr);

struct tables {
    uintptr_t bias; // added to each address in the file
    const ElfW(Sym) * symbols;
    const char *names;
    const uint32_t *hash; // DT_GNU_HASH
};

// The dynamic linker has relocated libc's entries; those of the vDSO are as in the file.
static const void *place_of(uintptr_t bias, const ElfW(Dyn) * entry)
{
    uintptr_t address = entry->d_un.d_ptr;
    return (const void *)(address < bias ? address + bias : address); // NOLINT: of a library
}

static struct tables read_tables(uintptr_t bias, const ElfW(Dyn) * entry)
{
    struct tables tables = {.bias = bias};
    for (; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SYMTAB) {
            tables.symbols = place_of(bias, entry);
        } else if (entry->d_tag == DT_STRTAB) {
            tables.names = place_of(bias, entry);
        } else if (entry->d_tag == DT_GNU_HASH) {
            tables.hash = place_of(bias, entry);
        }
    }
    return tables;
}

static void *find(const struct tables *tables, const char *name)
{
    uint32_t hash = 5381;
    for (const char *at = name; *at != '\0'; at++) {
        hash = hash * 33 + (unsigned char)*at;
    }
    if (tables->hash == NULL || tables->symbols == NULL) {
        return NULL;
    }
    // The header: number of buckets, first hashed symbol, words of the Bloom filter, which we skip.
    const uint32_t *head = tables->hash;
    const uint32_t *buckets = head + 4 + (size_t)head[2] * (sizeof(ElfW(Addr)) / sizeof *head);
    const uint32_t *hashes = buckets + head[0];
    uint32_t i = buckets[hash % head[0]];
    for (bool is_last = i == 0; !is_last; i++) {
        const ElfW(Sym) *symbol = &tables->symbols[i];
        uint32_t other = hashes[i - head[1]];
        if ((other | 1) == (hash | 1) && // SYMBOL-1: undefined symbols are not hashed
            ELF64_ST_TYPE(symbol->st_info) == STT_FUNC &&
            strcmp(tables->names + symbol->st_name, name) == 0) {
            return (void *)(tables->bias + symbol->st_value); // NOLINT: of a library
        }
        is_last = (other & 1) != 0;
    }
    return NULL;
}

void *symbol_of_libc(const char *name)
{
    if (CONFIG_STATIC) {
        return NULL; // libc is part of the program, without a symbol table
    }
#ifdef DLFO_STRUCT_HAS_EH_DBASE // glibc 2.35: takes no lock
    extern __typeof(_dl_find_object) _dl_find_object __attribute__((weak));
    struct dl_find_object object;
    void *inside = (void *)(uintptr_t)&__libc_free;
    if (&_dl_find_object != NULL && _dl_find_object(inside, &object) == 0) {
        const struct link_map *map = object.dlfo_link_map;
        struct tables tables = read_tables(map->l_addr, map->l_ld);
        return find(&tables, name);
    }
#endif
    (void)name;
    return NULL;
}

const void *symbol_unwind_rows(uintptr_t code)
{
#ifdef DLFO_STRUCT_HAS_EH_DBASE
    extern __typeof(_dl_find_object) _dl_find_object __attribute__((weak));
    struct dl_find_object object;
    if (&_dl_find_object != NULL && _dl_find_object((void *)code, &object) == 0) { // NOLINT
        return object.dlfo_eh_frame;
    }
#endif
    (void)code;
    return NULL;
}

void *symbol_behind(void *handle, const char *name)
{
    void *of_libc = symbol_of_libc("dlsym"); // a wrapper's RTLD_NEXT is relative to the wrapper
    void *(*look_up)(void *, const char *) = (void *(*)(void *, const char *))of_libc;
    return look_up != NULL ? look_up(handle, name) : dlsym(handle, name);
}

void *symbol_of_kernel(const char *name)
{
    const ElfW(Ehdr) *file = (const ElfW(Ehdr) *)os_auxval(AT_SYSINFO_EHDR); // NOLINT: the kernel's
    if (file == NULL) {
        return NULL;
    }
    const char *parts = (const char *)file + file->e_phoff;
    const ElfW(Phdr) *part = (const ElfW(Phdr) *)(const void *)parts;
    const ElfW(Phdr) *dynamic = NULL;
    uintptr_t bias = 0;
    for (unsigned i = 0; i < file->e_phnum; i++) {
        if (part[i].p_type == PT_LOAD) {
            bias = (uintptr_t)file + part[i].p_offset - part[i].p_vaddr;
        } else if (part[i].p_type == PT_DYNAMIC) {
            dynamic = &part[i];
        }
    }
    if (dynamic == NULL) {
        return NULL;
    }
    struct tables tables =
        read_tables(bias, (const ElfW(Dyn) *)(bias + dynamic->p_vaddr)); // NOLINT: the kernel's
    return find(&tables, name);
}
