/* elf_file.c - a reader of ELF files, as much of one as `check` and `run` need.
 *
 * Owns:       the mapping of the file while it is read.
 * Threads:    one.
 * Invariants: ELF-1  the file may be anything: every offset passes piece() before it is followed.
 *             ELF-2  is_damaged is set instead of guessing.
 */
#include "cli/commands/elf_file.h"

#include "base/cpu.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct image {
    const unsigned char *bytes; // [const] the mapped file
    size_t length;              // [const]
    Elf64_Ehdr header;          // [const]
    const char *strings;        // [owner] the dynamic string table, or NULL
    size_t strings_bytes;       // [owner]
};

/* ELF-1: the place of `count` things of `bytes` each at `offset`, or NULL if they lie outside. */
static const void *piece(const struct image *image, uint64_t offset, uint64_t count, uint64_t bytes)
{
    if (bytes == 0 || offset > image->length || count > (image->length - offset) / bytes) {
        return NULL;
    }
    return image->bytes + offset;
}

static bool program_header(const struct image *image, unsigned index, Elf64_Phdr *header)
{
    const uint64_t offset = image->header.e_phoff + (uint64_t)index * sizeof(*header);
    const void *const from = piece(image, offset, 1, sizeof(*header));
    if (from != NULL) {
        memcpy(header, from, sizeof(*header));
    }
    return from != NULL;
}

/* Where the bytes of a virtual address lie in the file. */
static uint64_t file_offset(const struct image *image, uint64_t address)
{
    Elf64_Phdr segment;
    for (unsigned i = 0; i < image->header.e_phnum && program_header(image, i, &segment); i++) {
        if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
            address - segment.p_vaddr < segment.p_filesz) {
            return segment.p_offset + (address - segment.p_vaddr);
        }
    }
    return UINT64_MAX;
}

static const char *string_at(const struct image *image, uint64_t index)
{
    const bool is_inside = image->strings != NULL && index < image->strings_bytes &&
                           memchr(image->strings + index, 0, image->strings_bytes - index) != NULL;
    return is_inside ? image->strings + index : "";
}

static const Elf64_Dyn *dynamic_entry(const struct image *image, const Elf64_Phdr *dynamic,
                                      uint64_t index, Elf64_Dyn *entry)
{
    const void *const from =
        (index + 1) * sizeof(*entry) <= dynamic->p_filesz
            ? piece(image, dynamic->p_offset + index * sizeof(*entry), 1, sizeof(*entry))
            : NULL;
    if (from == NULL) {
        return NULL;
    }
    memcpy(entry, from, sizeof(*entry));
    return entry->d_tag != DT_NULL ? entry : NULL;
}

static void read_dynamic(struct image *image, const Elf64_Phdr *dynamic, struct elf_facts *facts)
{
    Elf64_Dyn entry;
    uint64_t table = UINT64_MAX;
    for (uint64_t i = 0; dynamic_entry(image, dynamic, i, &entry) != NULL; i++) {
        table = entry.d_tag == DT_STRTAB ? file_offset(image, entry.d_un.d_ptr) : table;
        image->strings_bytes = entry.d_tag == DT_STRSZ ? entry.d_un.d_val : image->strings_bytes;
    }
    image->strings = piece(image, table, image->strings_bytes, 1);
    if (image->strings == NULL) {
        facts->is_damaged = true; // ELF-2
        return;
    }
    for (uint64_t i = 0; dynamic_entry(image, dynamic, i, &entry) != NULL; i++) {
        if (entry.d_tag == DT_NEEDED) {
            text_printf(&facts->needed, "%s\n", string_at(image, entry.d_un.d_val));
        }
    }
}

/* The runtime of a sanitizer shows in the names that the program imports or exports. */
static void find_sanitizer(const struct image *image, struct elf_facts *facts)
{
    static const struct {
        const char *symbol;
        const char *name;
    } marks[] = {{"__lsan_init", "LeakSanitizer"}, // others bring it, too, and say so below
                 {"__lsan_disable", "LeakSanitizer"},
                 {"__memprof_init", "the memory profiler of clang"},
                 {"__dfsan_init", "DataFlowSanitizer"},
                 {"__rtsan_init", "RealtimeSanitizer"},
                 {"__nsan_init", "NumericalStabilitySanitizer"},
                 {"__tysan_init", "TypeSanitizer"},
                 {"__asan_init", "AddressSanitizer"},
                 {"__tsan_init", "ThreadSanitizer"},
                 {"__msan_init", "MemorySanitizer"},
                 {"__hwasan_init", "HWAddressSanitizer"}};
    for (size_t i = 0; image->strings != NULL && i < sizeof(marks) / sizeof(marks[0]); i++) {
        const size_t length = strlen(marks[i].symbol) + 1; // with the zero: the whole name
        if (memmem(image->strings, image->strings_bytes, marks[i].symbol, length) != NULL) {
            facts->sanitizer = marks[i].name;
        }
    }
}

static void find_own_malloc(const struct image *image, struct elf_facts *facts)
{
    for (unsigned i = 0; i < image->header.e_shnum; i++) {
        Elf64_Shdr section;
        const uint64_t at = image->header.e_shoff + (uint64_t)i * sizeof(section);
        const void *const from = piece(image, at, 1, sizeof(section));
        if (from == NULL) {
            return; // stripped of its sections, which is legal
        }
        memcpy(&section, from, sizeof(section));
        const uint64_t count = section.sh_size / sizeof(Elf64_Sym);
        const unsigned char *const symbols =
            section.sh_type == SHT_DYNSYM
                ? piece(image, section.sh_offset, count, sizeof(Elf64_Sym))
                : NULL;
        for (uint64_t n = 0; symbols != NULL && n < count; n++) {
            Elf64_Sym symbol;
            memcpy(&symbol, symbols + n * sizeof(symbol), sizeof(symbol));
            if (symbol.st_shndx != SHN_UNDEF &&
                strcmp(string_at(image, symbol.st_name), "malloc") == 0) {
                facts->defines_malloc = true;
            }
        }
    }
}

static void read_image(struct image *image, struct elf_facts *facts)
{
    memcpy(&image->header, image->bytes, sizeof(image->header));
    const bool is_of_this_cpu = CPU_ELF_MACHINE == 0 || image->header.e_machine == CPU_ELF_MACHINE;
    facts->is_of_this_cpu = image->header.e_ident[EI_CLASS] == ELFCLASS64 && is_of_this_cpu;
    if (!facts->is_of_this_cpu) {
        return;
    }
    facts->is_damaged = image->header.e_phentsize != sizeof(Elf64_Phdr);
    for (unsigned i = 0; i < image->header.e_phnum && !facts->is_damaged; i++) {
        Elf64_Phdr segment;
        if (!program_header(image, i, &segment)) {
            facts->is_damaged = true;
        } else if (segment.p_type == PT_INTERP) {
            facts->is_dynamic = true;
        } else if (segment.p_type == PT_DYNAMIC) {
            read_dynamic(image, &segment, facts);
        }
    }
    find_sanitizer(image, facts);
    find_own_malloc(image, facts);
}

static void read_script(const struct image *image, struct elf_facts *facts)
{
    const size_t room = sizeof(facts->script_line) - 1;
    const size_t length = image->length - 2 < room ? image->length - 2 : room;
    memcpy(facts->script_line, image->bytes + 2, length);
    facts->script_line[strcspn(facts->script_line, "\n")] = 0;
    const size_t blanks = strspn(facts->script_line, " \t");
    memmove(facts->script_line, facts->script_line + blanks,
            strlen(facts->script_line + blanks) + 1);
}

int elf_file_read(const char *path, struct elf_facts *facts)
{
    *facts = (struct elf_facts){0};
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    struct stat status;
    int error = fstat(fd, &status) == 0 ? 0 : errno;
    if (error == 0 && status.st_size >= 4) {
        struct image image = {.length = (size_t)status.st_size};
        void *const bytes = mmap(NULL, image.length, PROT_READ, MAP_PRIVATE, fd, 0);
        error = bytes == MAP_FAILED ? errno : 0;
        if (error == 0) {
            image.bytes = bytes;
            facts->is_elf = memcmp(bytes, ELFMAG, SELFMAG) == 0;
            if (facts->is_elf && image.length < sizeof(Elf64_Ehdr)) {
                facts->is_damaged = true;
            } else if (facts->is_elf) {
                read_image(&image, facts);
            } else if (memcmp(bytes, "#!", 2) == 0) {
                read_script(&image, facts);
            }
            munmap(bytes, image.length);
        }
    }
    close(fd);
    return error;
}
