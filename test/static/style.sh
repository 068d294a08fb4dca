# style.sh - what can be seen without running anything: format, style, floors.
. test/support/tap.sh
mapfile -t sources < <(find src include test bench -name '*.[ch]' | sort)
mapfile -t others < <(
    find test scripts bench .ci -name '*.sh' -o -name '*.cc' -o -name run
    find . -path './build*' -prune -o \( -name '*.md' -o -name '*.mk' -o -name '*.py' \) -print
    find Makefile src/man -maxdepth 1 -type f
)

# What only a whole process shows has its test there; slab_list and dirty are parts of their floor.
elsewhere='base/live=report/live.sh trace/record=report/record.sh trace/recorder=report/record.sh
    inspect/view=report/live.sh front/shadow=hazards/h3_shadowed.sh front/fork=hazards/h5_fork.c
    front/statistics=report/statistics.sh front/files=api/map_file.c front/block=api/malloc.c
    base/os_vm=unit/test_os.c base/os_call=unit/test_os.c
    core/slab_list=unit/test_depot.c core/depot_look=unit/test_depot.c pages/dirty=unit/test_span.c
    profile/cfi=unit/test_unwind.c profile/dump=unit/test_profiling.c
    background/background=api/background.c'

# tested MODULE - a test has the name of the module, or is named above.
tested() {
    local other
    other=$(grep -oE "(^| )$1=[^ ]+" <<<"$elsewhere")
    [ -f "test/unit/test_${1#*/}.c" ] || [ -f "test/${other#*=}" ]
}

# look WORDS FILES COMMAND... - the command sees many files at a time, as it starts slowly, and says
# FILE:LINE: and what is wrong. False: it fails, and says nothing.
look() {
    local words=$1
    local -n files=$2
    printf '%s\0' "${files[@]}" | xargs -0 -n 40 -P 2 "${@:3}" >"$words" 2>&1 ||
        grep -qE '^[^ :]+:[0-9]+:' "$words"
}

nothing_about() {
    ! grep "^$1:" "$2"
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

claim "there are sources to look at" [ ${#sources[@]} -gt 10 ]
all=("${sources[@]}" "${others[@]}")
claim "clang-format has looked at them" \
    look "$work/format" sources clang-format --dry-run -Werror
claim "check_style.sh has looked at all" look "$work/style" all scripts/check_style.sh
for source in "${sources[@]}"; do
    claim "$source is formatted" nothing_about "$source" "$work/format"
done
for text in "${all[@]}"; do
    claim "$text keeps the style" nothing_about "$text" "$work/style"
done
claim "includes only go down the floors" scripts/check_layers.sh
claim "modules with state have assertions" scripts/count_assertions.sh --check
for module in $(scripts/count_assertions.sh --stateful); do
    claim "$module has a test" tested "$module"
done
claim "what comments and documents name exists" scripts/check_citations.sh
finish
