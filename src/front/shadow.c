/* shadow.c - tells another malloc from a stub for ours.
 *
 * Owns:       the answer, found once.
 * Threads:    any.
 * Locks:      those of the loader, inside dladdr1(); only where the addresses differ.
 * Invariants: SHADOW-1  the answer never changes.
 *
 * A program at a fixed address that takes the address of malloc has a stub of its own as the
 * address of malloc everywhere; its symbol is undefined there. A definition is not.
 */
#include "front/shadow.h"

#include "base/symbol.h"
#include "front/start.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum shadow_answer {
    SHADOW_UNKNOWN,
    SHADOW_STUB, // or ours: some compilers cannot tell their addresses apart
    SHADOW_DEFINITION,
};

static struct {
    _Atomic(int) answer; // [atomic] enum shadow_answer; SHADOW-1
} g_shadow;

static enum shadow_answer find_answer(const void *public_malloc)
{
    Dl_info info;
    Dl_info own;
    void *of_libc = symbol_of_libc("dladdr1"); // whatever else has this name
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

bool shadow_is_active(const void *public_malloc)
{
    int answer = atomic_load_explicit(&g_shadow.answer, memory_order_relaxed);
    if (answer == (int)SHADOW_UNKNOWN) {
        answer = (int)find_answer(public_malloc);
        atomic_store_explicit(&g_shadow.answer, answer, memory_order_relaxed);
    }
    return answer == (int)SHADOW_DEFINITION && start_mode() != START_SERVING;
}
