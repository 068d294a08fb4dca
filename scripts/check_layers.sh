#!/bin/bash
# check_layers.sh [SRC] - includes only go down the list in SRC/LAYERS: one module per line, lowest
# first, as base/config.h or base/config; `#` begins a comment. A module may include itself and
# those listed before it; one that is not listed fails, and so does a listed one that is not there.
# A line `features: FOLDER...` lists the folders that only they themselves include, and the modules
# and folders of a line `for: NAME...`.
set -u
src=${1:-src}
[ -s "$src/LAYERS" ] || { echo "$src/LAYERS is missing" && exit 1; }

awk -v src="$src" '
    function module(path) { sub(/\.[ch]$/, "", path); return path }
    function fail(text) { print text; failed = 1 }
    function folder(name) { sub(/\/.*/, "", name); return name }
    function may_name(self, other) {
        return !(folder(other) in feature) || folder(self) in feature || self in namer ||
            folder(self) in namer
    }
    FILENAME == src "/LAYERS" {
        sub(/#.*/, "")
        if ($1 == "features:") { for (i = 2; i <= NF; i++) feature[$i] = 1; next }
        if ($1 == "for:") { for (i = 2; i <= NF; i++) namer[$i] = 1; next }
        if (NF > 0) rank[module($1)] = ++count
        next
    }
    FNR == 1 {
        self = module(substr(FILENAME, length(src) + 2))
        seen[self] = 1
        if (!(self in rank)) fail(FILENAME ": not in LAYERS")
    }
    /^ *# *include *"/ {
        split($0, part, "\"")
        other = module(part[2])
        if (!(other in rank)) {
            if (part[2] !~ /^myalloc(_live)?[.]h$/) {
                fail(FILENAME ":" FNR ": " part[2] " is not in LAYERS")
            }
        } else if (rank[other] > rank[self]) {
            fail(FILENAME ":" FNR ": " self " includes " other ", which is above it")
        } else if (!may_name(self, other)) {
            fail(FILENAME ":" FNR ": " self " includes " other ", a feature")
        }
    }
    END {
        for (name in rank) if (!(name in seen)) fail("LAYERS: " name " does not exist")
        exit failed
    }
' "$src/LAYERS" $(find "$src" -name '*.[ch]' -not -path "$src/cli/*" | sort)
