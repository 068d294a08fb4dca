#!/bin/bash
# options_man.sh [--check | --write] [PAGE] - the list of options, as it stands in myalloc(7), made
# from the library's own table by a program that is linked with the lowest floors only. --check: the
# list in the page is that list; --write: puts it there; else it is printed.
set -eu
cd "$(dirname "$0")/.."
mode=print
case ${1:-} in
--check | --write)
    mode=${1#--}
    shift
    ;;
esac
page=${1:-src/man/myalloc.7}
# shellcheck disable=SC2089  # literal quotes are what the page holds
begin='.\" options: made by scripts/options_man.sh --write' end='.\" options: end'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

make -s build/libbase.a
cat >"$work/help.c" <<'END'
#include "base/options.h"
int main(void)
{
    options_help(1);
    return 0;
}
END
"${CC:-gcc}" -std=c11 -D_GNU_SOURCE -Isrc -Iinclude -o "$work/help" "$work/help.c" build/libbase.a
"$work/help" >"$work/help.txt"
[ -s "$work/help.txt" ] || { echo "options_man.sh: the table is empty" >&2 && exit 1; }

# key:values TAB default TAB help -> one item of the list
# shellcheck disable=SC2090
export begin end
awk -F '\t' '
    function plain(text) { gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text); return text }
    function fill(text,    words, count, i, line) {
        count = split(text, words, " ")
        line = words[1]
        for (i = 2; i <= count; i++) {
            if (length(line) + length(words[i]) >= 79) { print line; line = "" }
            line = line (line == "" ? "" : " ") words[i]
        }
        print line
    }
    BEGIN { print ENVIRON["begin"]; print ".Bl -tag -width Ds" }
    {
        split($1, key, ":")
        values = substr($1, length(key[1]) + 2)
        help = $3
        print ".It Cm " key[1] " : Ns Ar " plain(values)
        fill(toupper(substr(help, 1, 1)) plain(substr(help, 2)) ".")
        if ($2 != "") print "Default: " plain($2) "."
    }
    END { print ".El"; print ENVIRON["end"] }
' "$work/help.txt" >"$work/list"

# The page with the list of the library in the place of its own.
with_list() {
    awk -v list="$work/list" '
        $0 == ENVIRON["begin"] { while ((getline line <list) > 0) print line; inside = found = 1 }
        !inside { print }
        $0 == ENVIRON["end"] { inside = 0 }
        END { exit !found || inside }
    ' "$page" || { echo "$page: the list of options is not marked" >&2 && return 1; }
}

case $mode in
print) cat "$work/list" ;;
check)
    with_list >"$work/page"
    diff -u "$page" "$work/page" || {
        echo "$page: run scripts/options_man.sh --write" >&2
        exit 1
    }
    ;;
write)
    with_list >"$work/page"
    cat "$work/page" >"$page"
    ;;
esac
