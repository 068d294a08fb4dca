/* shadow.c - distinguishes another malloc from a PLT stub for ours.
 *
 * Owns:       two answers, each computed once.
 * Threads:    any.
 * Locks:      those of the loader; only where the addresses differ, or for a foreign block.
 * Invariants: SHADOW-1  an answer never changes.
 *
 * If a non-PIE program takes the address of malloc, that address is a stub in the program for all
 * modules, and the stub's symbol is undefined. The symbol of a definition is not.
 */
#include "front/shadow.h"

#include "base/check.h"
#include "base/symbol.h"
#include "core/emergency.h"
#include "front/start.h"
#include "pages/page_map.h"
#include "front/mode.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum shadow_answer {
    SHADOW_UNKNOWN,
    SHADOW_STUB, // or ours: with some compilers comparing the addresses does not tell
    SHADOW_DEFINITION,
};

static struct {
    _Atomic(int) answer;                 // [atomic] enum shadow_answer; SHADOW-1
    _Atomic(int) owner;                  // [atomic] the same for the malloc of the process
    _Atomic(void *) calls[SHADOW_CALLS]; // [atomic] its functions, written before `owner`
} g_shadow;

static enum shadow_answer find_answer(const void *public_malloc)
{
    ASSERT(public_malloc != NULL);
    Dl_info info;
    Dl_info own;
    void *of_libc = symbol_of_libc("dladdr1"); // even if something else has this name
    int (*look_up)(const void *, Dl_info *, void **, int) =
        of_libc != NULL ? (int (*)(const void *, Dl_info *, void **, int))of_libc : dladdr1;
    const ElfW(Sym) *symbol = NULL;
    void **entry = (void **)(uintptr_t)&symbol;
    if (look_up(public_malloc, &info, entry, RTLD_DL_SYMENT) == 0 || symbol == NULL ||
        symbol->st_shndx == SHN_UNDEF) {
        return SHADOW_STUB;
    }
    bool is_ours =
        look_up(&g_shadow, &own, entry, RTLD_DL_SYMENT) != 0 && own.dli_fbase == info.dli_fbase;
    return is_ours ? SHADOW_STUB : SHADOW_DEFINITION;
}

static bool is_ours(const void *block)
{
    size_t index = page_map_find(block);
    bool is_in_region = index != 0 && chunk_state(page_map_entry(index)) != CHUNK_NONE;
    struct block sample;
    return is_in_region || mode_find(block, &sample) || emergency_is_inside(block);
}

// Looks the names up as the program does: our own lookup may be bound to us.
static enum shadow_answer find_owner(void)
{
    static const char names[SHADOW_CALLS][20] = {"free", "realloc", "malloc_usable_size"};
    void *(*open_program)(const char *, int) =
        (void *(*)(const char *, int))symbol_of_libc("dlopen");
    void *program = open_program != NULL ? open_program(NULL, RTLD_LAZY) : NULL;
    void *found = program != NULL ? symbol_behind(program, "malloc") : NULL;
    if (found == NULL || find_answer(found) != SHADOW_DEFINITION) {
        return SHADOW_STUB;
    }
    void *block = ((void *(*)(size_t))found)(1);
    if (is_ours(block)) { // a wrapper, which would call us forever
        return SHADOW_STUB;
    }
    for (unsigned i = 0; i < SHADOW_CALLS; i++) {
        void *call = symbol_behind(program, names[i]);
        ASSERT(call != NULL); // libc has those that the program lacks
        atomic_store_explicit(&g_shadow.calls[i], call, memory_order_relaxed);
    }
    ((void (*)(void *))symbol_behind(program, "free"))(block);
    return SHADOW_DEFINITION;
}

void *shadow_owner(enum shadow_call call)
{
    ASSERT(call < SHADOW_CALLS);
    // acquire: pairs with the release below
    int owner = atomic_load_explicit(&g_shadow.owner, memory_order_acquire);
    if (owner == (int)SHADOW_UNKNOWN) {
        owner = (int)find_owner();
        ASSERT(owner != (int)SHADOW_UNKNOWN); // SHADOW-1
        atomic_store_explicit(&g_shadow.owner, owner, memory_order_release);
    }
    bool is_other = owner == (int)SHADOW_DEFINITION;
    return is_other ? atomic_load_explicit(&g_shadow.calls[call], memory_order_relaxed) : NULL;
}

bool shadow_is_active(const void *public_malloc)
{
    int answer = atomic_load_explicit(&g_shadow.answer, memory_order_relaxed);
    if (answer == (int)SHADOW_UNKNOWN) {
        answer = (int)find_answer(public_malloc);
        ASSERT(answer != (int)SHADOW_UNKNOWN); // SHADOW-1
        atomic_store_explicit(&g_shadow.answer, answer, memory_order_relaxed);
    }
    return answer == (int)SHADOW_DEFINITION && start_mode() != START_SERVING;
}
