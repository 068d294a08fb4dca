# guard.sh - guard:N: misuse of a sampled block is told in one exact line, with the places of its
# allocation and of its free; other faults stay what they were.
. test/support/tap.sh
program=$TEST_PROGRAMS/hazards/programs/sampled
file=$(readlink -f "$program") # the kernel tells it by its own path
said=$(mktemp)
trap 'rm -f "$said"' EXIT
if [ -z "${LIB-}" ]; then
    echo "ok - glibc has no such option"
    exit 0
fi

# function_at OFFSET - the function of the program that holds the byte at an offset of its file.
function_at() {
    addr2line -fe "$program" "$1" | head -n 1
}

# told CASE - what the library says, addresses as ADDRESS, places of the program as functions, only
# the first frame of each stack.
told() {
    MYALLOC_CONF=guard:1 LD_PRELOAD=$LIB "$program" "$1" 2>"$said" >&2
    echo "status $?"
    grep '^myalloc: [afd]' "$said" | while read -r line; do
        line=${line//"$file"/"$program"}
        place=${line##*+}
        case $line in
        *"$program+"*) line="${line%"$program+"*}$(function_at "$place")" ;;
        esac
        sed -E 's/ 0x[0-9a-f]+ / ADDRESS /; s/thread [0-9]+/thread N/' <<<"$line"
    done
}

in_use() {
    equal "$(told "$1")" "status 134
myalloc: fatal: $2 ADDRESS (40-byte block), $3
myalloc: allocated by thread N at make"
}

freed() {
    equal "$(told "$1")" "status 134
myalloc: fatal: $2 ADDRESS (40-byte block), $3
myalloc: allocated by thread N at make
myalloc: freed by thread N at drop"
}

threads_differ() {
    told freed-by-thread >/dev/null
    [ "$(sed -n 's/.* by thread \([0-9]*\) at.*/\1/p' "$said" | sort -u | wc -l)" -eq 2 ]
}

has_callers() {
    told freed >/dev/null
    grep -q -e "^myalloc:   from $program+" -e "^myalloc:   from $file+" "$said"
}

every_hundredth() {
    local caught=0
    for _ in 1 2 3 4 5; do
        MYALLOC_CONF=guard:100 LD_PRELOAD=$LIB "$program" freed 2>&1 | grep -q 'freed block:' &&
            caught=$((caught + 1))
    done
    [ "$caught" -ge 3 ]
}

status_of() {
    MYALLOC_CONF=guard:1 LD_PRELOAD=$LIB "$program" "$1" >"$said" 2>&1
    equal "$?" "$2"
}

off_is_off() {
    MYALLOC_CONF='' LD_PRELOAD=$LIB "$program" freed >"$said" 2>&1
    equal "$?" 98 # no block was sampled
}

# mappings OPTIONS - how many a shell has, most of whose blocks are sampled with guard:1.
mappings() {
    MYALLOC_CONF=$1 LD_PRELOAD=$LIB bash -c 'mapfile -t lines </proc/$$/maps; echo ${#lines[@]}'
}

# Linux 6.13 has marks in the page table; before, each block in use makes two mappings more.
costs_no_mappings() {
    printf '%s\n' 6.13 "$(uname -r)" | sort -VC || return 0
    [ $(($(mappings guard:1) - $(mappings guard:0))) -lt 20 ]
}

claim "a write behind a block" in_use behind "access past the end of" "at touch"
claim "a write before a block" in_use before "access before the beginning of" "at touch"
claim "a write to a freed block" freed freed "access to a freed block:" "at touch"
claim "a write to a block that another thread freed" freed freed-by-thread \
    "access to a freed block:" "at touch"
claim "the threads are told" threads_differ
claim "the callers of both are told" has_callers
claim "a double free" freed twice "double free of" "called from drop"
claim "a write between a block and the end of its page" in_use slack "write past the end of" \
    "called from drop"
claim "one block in a hundred is enough" every_hundredth
claim "sampled blocks cost no mappings" costs_no_mappings
# GUARD-3
claim "a fault elsewhere ends the program as ever" status_of null 139
claim "a handler that the program sets later is called" status_of handled 3
claim "without the option no block is sampled" off_is_off
finish
