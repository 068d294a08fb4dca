#!/bin/bash
# check_style.sh FILE... - the rules of style that no formatter knows: lines of 100 columns,
# functions of 60 lines, files of 600 lines, `#if` only in src/base, assembler only in the
# headers of a kind of CPU, no word that has been replaced, nothing left to do.
set -u
[ $# -gt 0 ] || { echo "check_style.sh: no files" && exit 1; }

# Columns are counted as bytes that begin a character: mawk knows no other characters than bytes.
LC_ALL=C awk '
    function columns(text) { gsub(/[\200-\277]/, "", text); return length(text) }
    function fail(text) { print FILENAME ":" FNR ": " text; failed = 1 }
    function in_src() { return FILENAME ~ /(^|\/)src\// }
    FNR == 1 { opened = 0 }
    function is_code() { return FILENAME ~ /[.][ch]$/ }
    FNR == 601 && FILENAME !~ /src\/man\// { fail("more than 600 lines") }
    columns($0) > 100 { fail("more than 100 columns") }
    /[ \t]$/ { fail("ends with a blank") }
    /TO[D]O|FIX[M]E|XX[X]|HA[C]K/ { fail("left to do") }
    /^ *# *if/ && in_src() && FILENAME !~ /src\/base\// && !/^#ifndef [A-Z0-9_]+_H$/ {
        fail("#if outside src/base")
    }
    /^ *# *if 0/ { fail("#if 0") }
    /__asm__|__x86_64__|__aarch64__/ && in_src() &&
        FILENAME !~ /base\/((cpu|probe)[.]h|os[.]c|raw_call[a-z0-9_]*[.]h)$/ &&
        FILENAME !~ /core\/rseq_[a-z0-9_]+[.]h$|inspect\/tables[.][ch]$/ {
        fail("a kind of CPU outside of its headers")
    }
    in_src() && tolower($0) ~ /(^|[^a-z])granules?([^a-z]|$)/ {
        fail("an old word for a chunk")
    }
    is_code() && /(^|[^a-zA-Z0-9_"\047])class(->|;|,| =|[)])/ && !/\/\/.*class/ && !/^ [*]|\/[*]/ {
        fail("class as a name: size_class or sc")
    }
    /^{$/ { opened = FNR }
    /^}/ && opened > 0 {
        if (FNR - opened > 61) fail("a function of " FNR - opened - 1 " lines")
        opened = 0
    }
    END { exit failed }
' "$@"
