# style.sh - what can be seen without running anything: format, style, floors.
. test/support/tap.sh
mapfile -t sources < <(find src include test bench -name '*.[ch]' | sort)
mapfile -t others < <(find test scripts bench .ci -name '*.sh' -o -name '*.cc' -o -name run | sort)

formatted() {
    clang-format --dry-run -Werror "$1"
}

claim "there are sources to look at" [ ${#sources[@]} -gt 10 ]
for source in "${sources[@]}"; do
    claim "$source is formatted" formatted "$source"
done
for text in "${sources[@]}" "${others[@]}"; do
    claim "$text keeps the style" scripts/check_style.sh "$text"
done
claim "includes only go down the floors" scripts/check_layers.sh
claim "modules with state have assertions" scripts/count_assertions.sh --check
finish
