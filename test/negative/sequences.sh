# sequences.sh - scripts/check_sequences.sh finds what would break a restartable sequence: the
# header of this CPU with one thing wrong.
. test/support/tap.sh
broken=$(mktemp -d)
trap 'rm -rf "$broken"' EXIT
cc=${CC:-gcc}
cpu=$($cc -dumpmachine)
header=src/core/rseq_${cpu%%-*}.h
[ -e "$header" ] || { echo "# skipped: no sequences for $cpu" && exit 0; }

# check [SED...] - the check of a library whose sequences are those of the header, changed.
check() {
    mkdir -p "$broken/core"
    sed -E "${@:-}" "$header" >"$broken/core/${header##*/}"
    [ $# -eq 0 ] || ! cmp -s "$header" "$broken/core/${header##*/}" || return 0
    $cc -std=c11 -D_GNU_SOURCE -O2 -shared -fPIC -iquote "$broken" -Isrc -x c \
        -o "$broken/lib.so" - <<'C' || return 0
#include "core/rseq.h"
struct slots g_slots;
void *pop(char *area, unsigned sc) { return rseq_pop_class(area, sc); }
bool push(char *area, size_t bin, void *block) { return rseq_push(area, bin, block); }
bool exchange(char *area, size_t at, list_word list, list_word *old)
{
    return rseq_exchange(area, at, list, old);
}
C
    scripts/check_sequences.sh "$broken/lib.so"
}

# caught TEXT SED - the check fails, and says TEXT. A SED that changes nothing fails.
caught() {
    local output
    output=$(check "$2") && echo "passed: $2" && return 1
    grep -qF -e "$1" <<<"$output" || { echo "$output" && return 1; }
}

claim "the sequences of the header pass" check
claim "another signature fails" caught 'no signature' 's/0x53053053|0xd428bc00/0xd428bc20/'
claim "a signature that stands elsewhere fails" caught 'no signature' 's/"4:/"nop\\n4:/'
claim "an abort address inside fails" caught 'lies inside' 's/2f - 1f, 4f/2f - 1f, 1f/'
claim "an instruction behind the commit fails" caught 'does not store' 's/"2:/"nop\\n2:/'
claim "a length that ends nowhere fails" caught 'begin and end' 's/2f - 1f/2f - 1f - 2/'
claim "a length of nothing fails" caught 'begin and end' 's/2f - 1f/0/'
claim "a second commit fails" caught 'two commits' \
    's/"((mov|str) %\[link\], .*loaded\].*)\\n"/"\1\\n\1\\n"/'
claim "a descriptor that is not stored right before fails" caught 'not announced' 's/"1:/"nop\\n1:/'
claim "the descriptor of another fails" caught 'not announced' \
    's/3b(\(%%rip\))/3b+32\1/; s/:lo12:3b/:lo12:3b+32/'
claim "a place that is not rseq_cs fails" caught 'not announced' \
    's/\[cs\] "i"\(RSEQ_CS_OFFSET\)/[cs] "i"(16)/'
claim "a version that no kernel knows fails" caught 'version or flags' 's/3: .long 0/3: .long 1/'
claim "a way back fails" caught 'a way back' 's/"(jne|b.ne) " miss "/"\1 1b/'
claim "a call fails" caught 'calls or leaves' \
    "s/\"1:/\"1:\\\\n$([ "${cpu%%-*}" = aarch64 ] && echo bl || echo call) pop\\\\n/"
claim "a jump into the middle fails" caught 'is jumped into' \
    's/"1:/"1: nop\\n7:/; s/(jmp|b) 6f/\1 7f/'
claim "another shape than the golden one fails" caught 'differ from' 's/"1:/"1: nop\\n/'
none() {
    $cc -shared -fPIC -x c -o "$broken/lib.so" - <<<'int none;' &&
        ! scripts/check_sequences.sh "$broken/lib.so"
}
claim "a library without sequences fails" none
finish
