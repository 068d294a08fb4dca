#!/bin/sh
# install.sh list | install | uninstall - the files of an installation, from one table; VERSION, as
# they were built in B, to PREFIX and LIBDIR, below DESTDIR. `make install` runs it.
#
# What install brought, and the directories that it had to make, are noted beside the texts, so that
# uninstall takes away all of it, older versions too, and nothing else.
set -eu
# path PATH - without slashes that mean nothing: what mkdir makes must be what is noted.
path() {
    printf '%s/' "$1" | tr -s / | sed '$s|/$||'
}
prefix=$(path "${PREFIX:-/usr/local}") libdir=$(path "${LIBDIR:-${PREFIX:-/usr/local}/lib}")
stage=$(path "${DESTDIR-}") build=${B:-build} version=${VERSION:?}
major=${version%%.*} share=$prefix/share tab=$(printf '\t')
cmake=$libdir/cmake/myalloc
# Where gdb looks for what belongs to a library, and the way from there to $share.
auto=$share/gdb/auto-load$libdir
up=$(printf '%s' "$libdir" | sed 's|[^/]*||g; s|/|../|g')../..
made=$share/doc/libmyalloc/directories brought=$share/doc/libmyalloc/files

for place in "${prefix:-/}" "${libdir:-/}" "${stage:-/}"; do
    case $place in
    /*) ;;
    *)
        echo "install.sh: $place does not begin with /" >&2
        exit 2
        ;;
    esac
done

# One line a file: source, mode, place, with tabs between. A source `->NAME` is a link to NAME, and
# one that ends in .in is filled in.
table() {
    while read -r source mode place; do
        printf '%s\t%s\t%s\n' "$source" "$mode" "$place"
    done <<END
$build/libmyalloc.so 755 $libdir/libmyalloc.so.$version
->libmyalloc.so.$version link $libdir/libmyalloc.so.$major
->libmyalloc.so.$major link $libdir/libmyalloc.so
$build/libmyalloc.a 644 $libdir/libmyalloc.a
scripts/package/myalloc.pc.in 644 $libdir/pkgconfig/myalloc.pc
scripts/package/myalloc-config.cmake.in 644 $cmake/myalloc-config.cmake
scripts/package/myalloc-config-version.cmake.in 644 $cmake/myalloc-config-version.cmake
include/myalloc.h 644 $prefix/include/myalloc.h
include/myalloc_live.h 644 $prefix/include/myalloc_live.h
include/myalloc_pmr.hpp 644 $prefix/include/myalloc_pmr.hpp
$build/myalloc 755 $prefix/bin/myalloc
$build/bench/replay 755 $prefix/bin/myalloc-replay
$build/bench/trace_tool 755 $prefix/bin/myalloc-trace
scripts/gdb/myalloc-gdb.py 644 $share/myalloc/myalloc-gdb.py
scripts/gdb/myalloc_heap.py 644 $share/myalloc/myalloc_heap.py
->$up/myalloc/myalloc-gdb.py link $auto/libmyalloc.so.$version-gdb.py
src/man/completion/myalloc.bash 644 $share/bash-completion/completions/myalloc
src/man/completion/myalloc.zsh 644 $share/zsh/site-functions/_myalloc
src/man/completion/myalloc.fish 644 $share/fish/vendor_completions.d/myalloc.fish
$(for page in src/man/*.[1-9]; do
        echo "$page 644 $share/man/man${page##*.}/${page##*/}"
    done)
$(sed -n 's/^\.Nm \(myalloc_[a-z_]*\).*/\1/p' src/man/libmyalloc.3 | while read -r name; do
        echo "->libmyalloc.3 link $share/man/man3/$name.3"
    done)
END
}

# Where this version has its files, and earlier ones that were installed there.
places() {
    table | cut -f 3
    [ ! -f "$stage$brought" ] || cat "$stage$brought"
}

# A path for the right side of sed's s, with | between.
escaped() {
    printf '%s' "$1" | sed 's/[&|\\]/\\&/g'
}

# fill SOURCE - a template with its paths, a manual with the version in its foot.
fill() {
    case $1 in
    *.pc.in) # there, blanks are written with a backslash
        sed -e "s|@PREFIX@|$(escaped "$prefix")|; s|@LIBDIR@|$(escaped "$libdir")|" \
            -e "s|@VERSION@|$version|; /^[a-z]*dir=\|^prefix=/s/ /\\\\ /g" "$1"
        ;;
    *.in)
        sed "s|@PREFIX@|$(escaped "$prefix")|; s|@LIBDIR@|$(escaped "$libdir")|
            s|@VERSION@|$version|; s|@MAJOR@|$major|" "$1"
        ;;
    *.[1-9]) sed "s/^\.Os\$/.Os libmyalloc $version/" "$1" ;;
    *) cat "$1" ;;
    esac
}

# make_directory PATH - with those above it; the new ones are listed, the outermost first.
make_directory() {
    { [ -z "$1" ] || [ -d "$stage$1" ]; } && return
    make_directory "${1%/*}"
    mkdir -m 755 "$stage$1"
    new="$new$1
"
}

# put SOURCE MODE PLACE - whole or not at all: programs may be starting that preload the library.
put() {
    make_directory "${3%/*}"
    rm -f "$stage$3.new"
    case $1 in
    '->'*) ln -s "${1#->}" "$stage$3.new" ;;
    *)
        fill "$1" >"$stage$3.new"
        chmod "$2" "$stage$3.new"
        ;;
    esac
    mv -f "$stage$3.new" "$stage$3"
}

# note_directories - also when the installation fails on its way: uninstall then clears it up.
note_directories() {
    if [ -n "$new" ]; then
        printf '%s' "$new" >>"$stage$made"
        chmod 644 "$stage$made"
    fi
}

install_all() {
    new=
    [ -z "$stage" ] || mkdir -p "$stage"
    make_directory "${made%/*}"
    : >>"$stage$made"
    trap note_directories EXIT
    places | sort -u >"$stage$brought.new"
    mv -f "$stage$brought.new" "$stage$brought"
    chmod 644 "$stage$brought"
    while IFS=$tab read -r source mode place; do
        put "$source" "$mode" "$place"
    done <<END
$(table)
END
}

uninstall_all() {
    places | while read -r place; do
        rm -f "$stage$place"
    done
    rm -f "$stage$brought"
    [ -f "$stage$made" ] || return 0
    directories=$(sed '1!G;h;$!d' "$stage$made") # the innermost first
    rm -f "$stage$made"
    printf '%s\n' "$directories" | while read -r directory; do
        [ -z "$directory" ] || rmdir "$stage$directory" 2>/dev/null || true # others use it
    done
}

case ${1-} in
list) table | cut -f 3 ;;
install) install_all ;;
uninstall) uninstall_all ;;
*)
    echo "usage: install.sh list | install | uninstall" >&2
    exit 2
    ;;
esac
