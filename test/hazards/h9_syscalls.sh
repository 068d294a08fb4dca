# h9_syscalls.sh - the library adds few system calls to a program, and only of the harmless kinds.
. test/support/tap.sh
trace=$(mktemp -d)
trap 'rm -rf "$trace"' EXIT

# traced FILE COMMAND... - one system call name a line, between the program's main and its end.
traced() {
    local file=$1
    shift
    strace -f -o "$trace/raw" "$@" >"$trace/stdout" 2>&1 &&
        sed -n 's/^[0-9]* *\([a-z0-9_]*\)(.*/\1/p' "$trace/raw" >"$trace/$file"
}

preloaded() {
    local file=$1
    shift
    traced "$file" ${LIB:+-E LD_PRELOAD="$LIB"} "$@"
}

# What a preload costs anyway: loading a library that does nothing.
empty_preload() {
    local file=$1
    shift
    traced "$file" -E LD_PRELOAD="$TEST_PROGRAMS/hazards/plugins/nothing.so" "$@"
}

# /bin/true allocates nothing, but with an option set the heap starts as the library is loaded; with
# slots of CPUs by their number, more tables are made then.
case ${MYALLOC_CONF-} in
*cpu_cache:cpu*) most=8 ;;
*) most=6 ;;
esac
few_more() {
    local base with
    base=$(wc -l <"$trace/base") with=$(wc -l <"$trace/with")
    [ "$with" -le $((base + most)) ] || {
        diff <(sort "$trace/base") <(sort "$trace/with")
        return 1
    }
}

only_harmless_kinds() {
    local new
    new=$(comm -13 <(sort -u "$trace/base") <(sort -u "$trace/with") |
        grep -Evx 'brk|mmap|munmap|mremap|madvise|mprotect|futex|prlimit64')
    equal "$new" ""
}

claim "/bin/true can be traced" empty_preload base /bin/true
claim "/bin/true can be traced under the library" preloaded with /bin/true
claim "/bin/true: at most $most more system calls" few_more
claim "/bin/true: only harmless kinds" only_harmless_kinds
everything=$TEST_PROGRAMS/hazards/programs/all_functions
claim "all functions can be traced" empty_preload base "$everything"
claim "all functions can be traced under the library" preloaded with "$everything"
claim "all functions: only harmless kinds" only_harmless_kinds
threads=$TEST_PROGRAMS/hazards/programs/threads
claim "threads can be traced" empty_preload base "$threads"
claim "threads can be traced under the library" preloaded with "$threads"
claim "threads: only harmless kinds" only_harmless_kinds
finish
