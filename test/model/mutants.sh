# mutants.sh - the explorer finds what it is there for: each protocol broken in one place.
. test/support/tap.sh
copies=$(mktemp -d)
trap 'rm -rf "$copies"' EXIT

# built NAME SOURCE PERL - a copy of the source, changed, and the explorer with it.
built() {
    local copy=$copies/$1/$2
    mkdir -p "${copy%/*}"
    perl -0pe "$3" "src/$2" >"$copy" && ! cmp -s "src/$2" "$copy" &&
        env -u MAKEFLAGS make -s B=build-model CC="${CC:-gcc}" MUTANT="$copy" mutant
}

# caught CLAIM NAME SOURCE - the scene ends with a path to the fault, or the fault ends the
# explorer.
caught() {
    local program=$copies/$2/${3%.c}
    timeout 300 "$program" "$1" >"$copies/$2.log" 2>&1
    [ $? -ge 128 ] || grep -q "^not ok - .*$1" "$copies/$2.log" ||
        { tail -n 5 "$copies/$2.log" && false; }
}

# unlocked FUNCTION LOCK - the change that leaves out the lock that the function takes.
unlocked() {
    echo "s/($1.*?)lock_acquire\\(&$2\\);(.*?)lock_release\\(&$2\\);/\$1\$2/s"
}

# noted FILE COMMAND... - runs it; its output goes to FILE.log and its status to FILE.status.
noted() {
    "${@:2}" >"$1.log" 2>&1
    echo $? >"$1.status"
}

# told FILE - what was noted there.
told() {
    cat "$1.log"
    return "$(cat "$1.status")"
}

# mutant NAME SOURCE SCENE PERL - two at a time; tell_mutants says what became of them.
names=()
mutant() {
    local name=${1// /_}
    names+=("$1")
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
        wait -n
    done
    {
        noted "$copies/built.$name" built "$name" "$2" "$4"
        noted "$copies/caught.$name" caught "$3" "$name" "$2"
    } &
}

tell_mutants() {
    wait
    for name in "${names[@]}"; do
        claim "$name: can be built" told "$copies/built.${name// /_}"
        claim "$name: found" told "$copies/caught.${name// /_}"
    done
}

mutant "what slabs give is not counted as out" core/depot.c "last blocks go home" \
    's/(ASSERT\(!list_is_empty\(list\)\);\n) *count_out_locked.*?\n/$1/'
mutant "a slab without blocks stays on the list" core/depot.c "last blocks go home" \
    's/if \(!slab_has_blocks\(slab\)\)/if (false)/'
mutant "a slab is taken from and still the empty one" core/depot.c "last blocks go home" \
    's/ depot->empty = 0;(\n *\}\n *list_word list)/$1/'
mutant "of two empty slabs the kept one leaves" core/depot.c "to its end while it grows" \
    's/page_map_entry\(index < kept \? kept : index\)/page_map_entry(kept)/'
mutant "a slab is closed when it is given already" core/depot.c "last blocks go home" \
    's/    slab_close\(slab\);.*\n//; s/( *\(retired.is_late .*\n)/$1    slab_close(slab);\n/'
mutant "younger magazines do not move up" core/depot.c "a sweep beside" \
    's/RELAXED_STORE\(magazines_of\(depot\)\[i - count\], .*?\n//'
mutant "the newest magazine grows without end" core/depot.c "single blocks" \
    's/if \(list_count\(\*newest\) >= depot_magazine_blocks\(sc\)\)/if (false)/'
mutant "a sweep takes no lock" core/depot.c "a sweep beside" \
    "$(unlocked 'void depot_sweep' 'depot->lock')"
mutant "a purge takes no lock" core/depot.c "pages are purged" \
    "$(unlocked 'size_t depot_purge_slab' 'depot->lock')"
mutant "a magazine is taken without the lock" core/depot.c "a trim beside" \
    "$(unlocked 'struct depot_fetched depot_fetch' 'depot->lock')"
mutant "blocks carved anew are not counted" core/slab.c "pages are purged" \
    's/(RELAXED_STORE\(slab->purged, slab->purged & .*?\n).*?\n/$1/'
mutant "purged pages are carved again and again" core/slab.c "pages are purged" \
    's/RELAXED_STORE\(slab->purged, slab->purged & .*?\n//'
mutant "purged blocks stay counted" core/slab.c "pages are purged" \
    's/RELAXED_STORE\(slab->carved, \(uint16_t\)\(slab->carved - dropped\)\);//'
mutant "the list of slots without a thread is cut" core/slot.c "as many slots" \
    's/own->next_unused = g_slot.unused;//'
mutant "a slot is given back as it is" core/slot.c "as many slots" \
    's/depot_drain_slot\(own\);//'
mutant "a thread keeps the slot that it gave back" core/slot.c "as many slots" \
    's/t_thread.is_dead = true;\n *t_thread.own = NULL;//'
mutant "the unused slots have no lock" core/slot.c "slots of their own" \
    "$(unlocked 'take_own' g_slot.lock)"
mutant "an open slot is opened" core/slot.c "two open" \
    's/if \(!atomic_load_explicit\(&slot->is_open, memory_order_relaxed\)\)/if (true)/'
mutant "what an exchange finds besides is dropped" core/cpu_cache.c "two give on one CPU" \
    's/    depot_return\(sc, old\);\n/(void)old;/'
mutant "a magazine is read, then replaced" core/cpu_cache.c "two give on one CPU" \
    's/slot_exchange\([^;]*&list\);(\n    if \(early)/(list = slot->loaded[sc + 1], true);$1/'
mutant "a limit is set in a slot that is not open" core/cpu_cache.c "without an open slot" \
    's/if \(atomic_load_explicit\(&slot->is_open, memory_order_acquire\)\)/if (true)/'
mutant "a block is taken and stays in its magazine" core/cpu_cache.c "from the depot to slots" \
    's/list_link\(block\)\);/list);/'
mutant "who slept takes the lock without a mark" base/lock.c "wakes who sleeps" \
    's/self_word\(\) \| SLEEPERS/self_word()/'
mutant "nobody is woken" base/lock.c "wakes who sleeps" \
    's/os_futex_wake\(lower_half\(lock\)\)/(void)0/'
mutant "a fork gives back what it did not take" base/lock.c "taken by a fork" \
    's/if \(lock_is_held_for_fork\(lock\)\)/if (true)/'
mutant "a lock stays that of the fork" base/lock.c "taken by a fork" \
    's/(void lock_release_after_fork.*?)lock->is_for_fork = false;/$1/s'
tell_mutants
finish
