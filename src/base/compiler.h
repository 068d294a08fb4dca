/* compiler.h - names for the compiler features that we use. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define NOINLINE   __attribute__((noinline))
#define COLD       __attribute__((cold))
#define NORETURN   _Noreturn
#define ALIGNED(n) __attribute__((aligned(n)))
#define HIDDEN     __attribute__((visibility("hidden"))) // direct access, no GOT
// For code that few processes run, but those often: in seldom_text, optimized like other code.
#define SELDOM      __attribute__((section(".text.unlikely.seldom"), noinline))
#define EXPORT      __attribute__((visibility("default")))
#define CONSTRUCTOR __attribute__((constructor(101)))
#define DESTRUCTOR  __attribute__((destructor(101)))
#define CALLER()    __builtin_return_address(0)

// Hides an address from the optimizer: clang assumes that a symbol and its alias are different.
static inline const void *opaque_address(const void *address)
{
    const void *volatile copy = address;
    return copy;
}

// clang's thread safety analysis: a lock is a capability, a _locked function requires it.
#ifdef __clang__
#define CAPABILITY         __attribute__((capability("mutex")))
#define REQUIRES(lock)     __attribute__((requires_capability(lock)))
#define ACQUIRES(lock)     __attribute__((acquire_capability(lock)))
#define TRY_ACQUIRES(lock) __attribute__((try_acquire_capability(1, lock)))
#define RELEASES(lock)     __attribute__((release_capability(lock)))
#define UNCHECKED_LOCKS    __attribute__((no_thread_safety_analysis))
#else
#define CAPABILITY
#define REQUIRES(lock)
#define ACQUIRES(lock)
#define TRY_ACQUIRES(lock)
#define RELEASES(lock)
#define UNCHECKED_LOCKS
#endif

// For a field that one thread at a time writes, under a lock or as its owner, and that others read
// at any time: a value may be stale, and two fields may not match, but none is torn. The writer may
// read it plainly.
#define RELAXED_LOAD(field)         __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define RELAXED_STORE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

// For functions that read bytes of blocks while their users write them: each word is read once. A
// comment at each says why that is harmless.
#if defined(__SANITIZE_THREAD__)
#define RACY_READER __attribute__((no_sanitize_thread))
#else
#define RACY_READER
#endif

#endif
