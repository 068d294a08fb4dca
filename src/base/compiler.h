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

// For functions that read words while others write them, each with a single store: a value may be
// stale, and two words may not match. A comment at each says why that is harmless, and the header
// of its module says what it may get wrong.
#if defined(__SANITIZE_THREAD__)
#define RACY_READER __attribute__((no_sanitize_thread))
#else
#define RACY_READER
#endif

#endif
