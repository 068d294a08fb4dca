# mutants.sh - the explorer finds what it is there for: each protocol broken in one place.
. test/support/tap.sh
copies=$(mktemp -d)
trap 'rm -rf "$copies"' EXIT

# built NAME SOURCE PERL - a copy of the source, changed, and the explorer with it.
built() {
    perl -0pe "$3" "src/$2" >"$copies/$1.c" && ! cmp -s "src/$2" "$copies/$1.c" &&
        env -u MAKEFLAGS make -s B=build-model CC="${CC:-gcc}" MUTANT="$copies/$1.c" mutant
}

# caught CLAIM NAME - the scene ends with a path to the fault, or the fault ends the explorer.
caught() {
    "$copies/$2" "$1" >"$copies/$2.log" 2>&1
    [ $? -ge 128 ] || grep -q "^not ok - .*$1" "$copies/$2.log" ||
        { tail -n 5 "$copies/$2.log" && false; }
}

# mutant NAME SOURCE SCENE PERL
mutant() {
    claim "$1: can be built" built "${1// /_}" "$2" "$4"
    claim "$1: found" caught "$3" "${1// /_}"
}

mutant "the owner counts before it sleeps" heap/heap.c "strands no slab" \
    's/( *atomic_store[^\n]*FULL.*?\n) *if \((atomic_load.*?) != 0/uint32_t n = $2;$1if (n != 0/s'
mutant "the sender claims a slab that is awake" heap/mail.c "strands no slab" \
    's/state == CHUNK_FULL && //'
mutant "the sender does not ask for the owner again" heap/mail.c "through the pool" \
    's/if \(chunk_owner\(slab\) == heap\) \{ \/\/ MAIL-2/if (true) { \/\//'
mutant "a claimed slab is dissolved" heap/mail.c "claimed or dissolved" \
    's/if \(chunk_owner\(slab\) == heap\) \{ \/\/ else a sender/if (true) { \/\//'
mutant "a block of a slab that left the pool is forgotten" heap/heap.c "pass through the pool" \
    's/if \(pooled != POOL_CLAIMED\)/if (true)/'
mutant "a batch is taken without the lock" heap/transfer.c "one gets it" \
    's/(struct batch transfer_take\(.*?) \|\| !lock_try_acquire\(&pool->lock\)/$1/s'
mutant "the parked heap is read before the lock" heap/orphan.c "adopted by one" \
    's/(    lock_acquire\(&g_orphan.lock\);\n)(    struct heap \*heap = load.*?\n)/$2$1/'
mutant "who slept takes the lock without a mark" base/lock.c "wakes who sleeps" \
    's/self_word\(\) \| SLEEPERS/self_word()/'
finish
