/* symbols.c - names by the symbol tables of ELF files, and by addr2line where debug data is there;
 *             those of C++ and Rust in plain words, by c++filt.
 *
 * Owns:       mapped files, sorted symbols, the names found so far.
 * Threads:    one.
 * Invariants: SYMBOLS-1  a file may be anything: every offset passes piece() before it is followed.
 *             SYMBOLS-2  a file that is not the one that was mapped (other inode) gives no names.
 *
 * A return address lies behind its call: names are those of the byte before it.
 */
#include "cli/commands/symbols.h"

#include "cli/tool.h"

#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_BYTES_MAX (256UL << 20) // of one of the tools

/* What mkstemp fills: six letters. */
#define PAIR       "XX"
#define EMPTY_NAME PAIR PAIR PAIR

extern char **environ;

struct symbol {
    uint64_t start, bytes;
    const char *name; // in the mapped file
};

struct object {
    const char *path;
    const unsigned char *bytes; // NULL: cannot be read
    size_t length;
    struct symbol *symbols; // ascending
    size_t count;
    bool has_debug;
};

struct named {
    uint64_t address;
    char *name;
};

struct symbols {
    const struct mappings *mappings;
    struct object *objects;
    size_t object_count;
    struct named *names; // ascending
    size_t name_count;
};

/* ---- ELF ---- */

static const void *piece(const struct object *object, uint64_t offset, uint64_t count,
                         uint64_t bytes)
{
    if (bytes == 0 || offset > object->length || count > (object->length - offset) / bytes) {
        return NULL; // SYMBOLS-1
    }
    return object->bytes + offset;
}

static bool section_at(const struct object *object, const Elf64_Ehdr *header, uint64_t index,
                       Elf64_Shdr *section)
{
    const uint64_t at = header->e_shoff + index * sizeof(*section);
    const void *const from =
        index < header->e_shnum ? piece(object, at, 1, sizeof(*section)) : NULL;
    if (from != NULL) {
        memcpy(section, from, sizeof(*section));
    }
    return from != NULL;
}

static const char *string_in(const struct object *object, const Elf64_Shdr *strings, uint64_t at)
{
    const char *const all = piece(object, strings->sh_offset, strings->sh_size, 1);
    return all != NULL && at < strings->sh_size &&
                   memchr(all + at, 0, strings->sh_size - at) != NULL
               ? all + at
               : "";
}

static void add_symbols(struct object *object, const Elf64_Ehdr *header, const Elf64_Shdr *section)
{
    Elf64_Shdr strings;
    const uint64_t count = section->sh_size / sizeof(Elf64_Sym);
    const unsigned char *const from = piece(object, section->sh_offset, count, sizeof(Elf64_Sym));
    if (from == NULL || !section_at(object, header, section->sh_link, &strings)) {
        return;
    }
    object->symbols =
        tool_resize(object->symbols, (object->count + count) * sizeof(*object->symbols));
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Sym symbol;
        memcpy(&symbol, from + i * sizeof(symbol), sizeof(symbol));
        const unsigned type = ELF64_ST_TYPE(symbol.st_info);
        const char *const name = string_in(object, &strings, symbol.st_name);
        if ((type == STT_FUNC || type == STT_GNU_IFUNC) && symbol.st_shndx != SHN_UNDEF &&
            name[0] != 0) {
            object->symbols[object->count++] =
                (struct symbol){symbol.st_value, symbol.st_size, name};
        }
    }
}

static int by_start(const void *a, const void *b)
{
    const struct symbol *const x = a;
    const struct symbol *const y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

static void read_sections(struct object *object)
{
    Elf64_Ehdr header;
    Elf64_Shdr names;
    if (object->length < sizeof(header) || memcmp(object->bytes, ELFMAG, SELFMAG) != 0) {
        return;
    }
    memcpy(&header, object->bytes, sizeof(header));
    const bool has_names = section_at(object, &header, header.e_shstrndx, &names);
    for (unsigned i = 0; i < header.e_shnum; i++) {
        Elf64_Shdr section;
        if (!section_at(object, &header, i, &section)) {
            return;
        }
        if (section.sh_type == SHT_SYMTAB || section.sh_type == SHT_DYNSYM) {
            add_symbols(object, &header, &section);
        }
        object->has_debug |=
            has_names && strcmp(string_in(object, &names, section.sh_name), ".debug_info") == 0;
    }
    if (object->count != 0) {
        qsort(object->symbols, object->count, sizeof(*object->symbols), by_start);
    }
}

/* The address in the file's own numbers of what lies at `offset` in it. */
static uint64_t address_in_file(const struct object *object, uint64_t offset)
{
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    const void *from = piece(object, 0, 1, sizeof(header));
    if (from == NULL) {
        return offset;
    }
    memcpy(&header, from, sizeof(header));
    for (unsigned i = 0; i < header.e_phnum; i++) {
        from = piece(object, header.e_phoff + (uint64_t)i * sizeof(segment), 1, sizeof(segment));
        if (from == NULL) {
            break;
        }
        memcpy(&segment, from, sizeof(segment));
        if (segment.p_type == PT_LOAD && offset >= segment.p_offset &&
            offset - segment.p_offset < segment.p_filesz) {
            return offset - segment.p_offset + segment.p_vaddr;
        }
    }
    return offset;
}

static const char *name_in(const struct object *object, uint64_t address)
{
    size_t low = 0;
    size_t high = object->count;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        object->symbols[middle].start <= address ? (void)(low = middle) : (void)(high = middle);
    }
    for (size_t i = low + 1; i-- > 0 && low - i < 16;) { // aliases without a size stand around
        const struct symbol *const symbol = &object->symbols[i];
        if (i < object->count && address >= symbol->start &&
            address - symbol->start < symbol->bytes) {
            return symbol->name;
        }
    }
    return NULL;
}

/* ---- files ---- */

static void open_object(struct object *object, const struct mapping *mapping)
{
    struct stat status;
    *object = (struct object){.path = mapping->path};
    const int fd = open(mapping->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return;
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
        status.st_ino == mapping->inode) { // SYMBOLS-2
        void *const bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes != MAP_FAILED) {
            object->bytes = bytes;
            object->length = (size_t)status.st_size;
            read_sections(object);
        }
    }
    close(fd);
}

static struct object *object_of(struct symbols *symbols, const struct mapping *mapping)
{
    for (size_t i = 0; i < symbols->object_count; i++) {
        if (strcmp(symbols->objects[i].path, mapping->path) == 0) {
            return &symbols->objects[i];
        }
    }
    symbols->objects =
        tool_resize(symbols->objects, (symbols->object_count + 1) * sizeof(*symbols->objects));
    struct object *const object = &symbols->objects[symbols->object_count++];
    open_object(object, mapping);
    return object;
}

static const struct mapping *mapping_of(const struct symbols *symbols, uint64_t address)
{
    for (size_t i = 0; i < symbols->mappings->count; i++) {
        const struct mapping *const mapping = &symbols->mappings->array[i];
        if (address >= mapping->start && address < mapping->end) {
            return mapping;
        }
    }
    return NULL;
}

struct symbols *symbols_open(const struct mappings *mappings)
{
    struct symbols *const symbols = tool_allocate(sizeof(*symbols));
    *symbols = (struct symbols){.mappings = mappings};
    return symbols;
}

void symbols_close(struct symbols *symbols)
{
    for (size_t i = 0; i < symbols->object_count; i++) {
        if (symbols->objects[i].bytes != NULL) {
            munmap((void *)(uintptr_t)symbols->objects[i].bytes, symbols->objects[i].length);
        }
        free(symbols->objects[i].symbols);
    }
    for (size_t i = 0; i < symbols->name_count; i++) {
        free(symbols->names[i].name);
    }
    free(symbols->objects);
    free(symbols->names);
    free(symbols);
}

/* ---- binutils ---- */

/* Runs one of them over lines; its output. False: there is none. */
static bool run_tool(const char *const *words, const struct text *input, struct text *output)
{
    char in[] = "/tmp/myalloc-addresses-" EMPTY_NAME;
    char out[] = "/tmp/myalloc-names-" EMPTY_NAME;
    const int in_fd = mkostemp(in, O_CLOEXEC);
    const int out_fd = mkostemp(out, O_CLOEXEC);
    bool is_done = false;
    if (in_fd >= 0 && out_fd >= 0 &&
        write(in_fd, text_string(input), input->bytes) == (ssize_t)input->bytes &&
        lseek(in_fd, 0, SEEK_SET) == 0) {
        posix_spawn_file_actions_t actions;
        pid_t pid;
        int status = -1;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in_fd, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        is_done = posix_spawnp(&pid, words[0], &actions, NULL, (char *const *)(uintptr_t)words,
                               environ) == 0 &&
                  waitpid(pid, &status, 0) == pid && status == 0 &&
                  text_read_path(output, out, OUTPUT_BYTES_MAX) == 0;
        posix_spawn_file_actions_destroy(&actions);
    }
    if (in_fd >= 0) {
        close(in_fd);
        unlink(in);
    }
    if (out_fd >= 0) {
        close(out_fd);
        unlink(out);
    }
    return is_done;
}

static int by_address(const void *a, const void *b)
{
    const struct named *const x = a;
    const struct named *const y = b;
    return x->address < y->address ? -1 : x->address > y->address;
}

static void set_name(struct named *named, const struct text *name)
{
    if (name->bytes != 0) {
        free(named->name);
        named->name = strdup(text_string(name));
        for (char *line = named->name; line != NULL; line = strchr(line, '\n')) {
            line += line[0] == '\n';
        }
    }
}

/* "0xADDRESS", then for each function its name and its line; the names of one file, in order. */
static void take_names(struct named *const *wanted, size_t count, char *output)
{
    struct text name = {0};
    size_t at = 0;
    char *rest = NULL;
    for (char *line = strtok_r(output, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "0x", 2) == 0 && strspn(line + 2, "0123456789abcdef") == 16) {
            if (at > 0 && at <= count) {
                set_name(wanted[at - 1], &name);
            }
            text_clear(&name);
            at++;
        } else {
            if (strcmp(line, "??") != 0) {
                text_printf(&name, "%s%s", name.bytes != 0 ? "\n" : "", line);
            }
            strtok_r(NULL, "\n", &rest); // its place in the source
        }
    }
    if (at > 0 && at <= count) {
        set_name(wanted[at - 1], &name);
    }
    text_free(&name);
}

static void ask_addr2line(struct symbols *symbols, const struct object *object)
{
    struct text input = {0};
    struct text output = {0};
    struct named **const wanted = tool_allocate((symbols->name_count + 1) * sizeof(struct named *));
    size_t count = 0;
    for (size_t i = 0; i < symbols->name_count; i++) {
        const uint64_t address = symbols->names[i].address - 1;
        const struct mapping *const mapping = mapping_of(symbols, address);
        if (mapping != NULL && strcmp(mapping->path, object->path) == 0) {
            const uint64_t offset = address - mapping->start + mapping->file_offset;
            text_printf(&input, "0x%" PRIx64 "\n", address_in_file(object, offset));
            wanted[count++] = &symbols->names[i];
        }
    }
    const char *const words[] = {"addr2line", "-afiC", "-e", object->path, NULL};
    if (count != 0 && run_tool(words, &input, &output)) {
        text_put(&output, "");
        take_names(wanted, count, output.data);
    }
    free(wanted);
    text_free(&input);
    text_free(&output);
}

static bool is_mangled(const char *name)
{
    return strncmp(name, "_Z", 2) == 0 || strncmp(name, "_R", 2) == 0;
}

/* The names of C++ and Rust, in plain words. */
static void ask_cxxfilt(struct symbols *symbols)
{
    struct text input = {0};
    struct text output = {0};
    for (size_t i = 0; i < symbols->name_count; i++) {
        if (is_mangled(symbols->names[i].name)) {
            text_printf(&input, "%s\n", symbols->names[i].name);
        }
    }
    const char *const words[] = {"c++filt", NULL};
    if (input.bytes != 0 && run_tool(words, &input, &output)) {
        char *rest = NULL;
        text_put(&output, "");
        char *line = strtok_r(output.data, "\n", &rest);
        for (size_t i = 0; i < symbols->name_count && line != NULL; i++) {
            if (is_mangled(symbols->names[i].name)) {
                free(symbols->names[i].name);
                symbols->names[i].name = strdup(line);
                line = strtok_r(NULL, "\n", &rest);
            }
        }
    }
    text_free(&input);
    text_free(&output);
}

/* ---- names ---- */

static char *name_simply(struct symbols *symbols, uint64_t return_address)
{
    struct text name = {0};
    const uint64_t address = return_address - 1;
    const struct mapping *const mapping = mapping_of(symbols, address);
    if (return_address == 0) {
        text_put(&name, "[stacks that found no room]");
    } else if (mapping == NULL || mapping->path[0] != '/') {
        text_printf(&name, "0x%" PRIx64, address);
    } else {
        const struct object *const object = object_of(symbols, mapping);
        const uint64_t offset = address - mapping->start + mapping->file_offset;
        const char *const known =
            object->bytes != NULL ? name_in(object, address_in_file(object, offset)) : NULL;
        if (known != NULL) {
            text_put(&name, known);
        } else {
            text_printf(&name, "%s+0x%" PRIx64, strrchr(mapping->path, '/') + 1, offset);
        }
    }
    char *const copy = strdup(text_string(&name));
    text_free(&name);
    text_make_printable(copy);
    return copy;
}

void symbols_look_up(struct symbols *symbols, const uint64_t *addresses, size_t count)
{
    symbols->names = tool_resize(symbols->names, (count + 1) * sizeof(*symbols->names));
    for (size_t i = 0; i < count; i++) {
        symbols->names[i].address = addresses[i];
    }
    qsort(symbols->names, count, sizeof(*symbols->names), by_address);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || symbols->names[kept - 1].address != symbols->names[i].address) {
            symbols->names[kept].address = symbols->names[i].address;
            symbols->names[kept].name = name_simply(symbols, symbols->names[i].address);
            kept++;
        }
    }
    symbols->name_count = kept;
    ask_cxxfilt(symbols);
    for (size_t i = 0; i < symbols->object_count; i++) {
        if (symbols->objects[i].has_debug) {
            ask_addr2line(symbols, &symbols->objects[i]);
        }
    }
}

const char *symbols_name(struct symbols *symbols, uint64_t address)
{
    const struct named wanted = {.address = address};
    const struct named *const found =
        bsearch(&wanted, symbols->names, symbols->name_count, sizeof(wanted), by_address);
    return found != NULL ? found->name : "?";
}
