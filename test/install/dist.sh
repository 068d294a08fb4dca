# dist.sh - `make dist`: what is in the tarball. That it builds and passes: `make check-dist`.
. test/support/tap.sh
. test/support/build.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/^#define MYALLOC_VERSION "\(.*\)"/\1/p' include/myalloc.h)
tarball=build/myalloc-$version.tar.gz

without_git() {
    (cd "$work/copy" && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL GIT_CEILING_DIRECTORIES="$work" \
        make -s dist)
}
sources "$work/copy"
refused "without a checkout there is no tarball" without_git
claim "and none is left" [ ! -e "$work/copy/$tarball" ]

if ! git rev-parse HEAD >/dev/null 2>&1; then
    echo "# skipped: the tarball: these sources are no checkout of git"
else
    repeated() {
        built dist && cp "$tarball" "$work" && built dist && cmp "$tarball" "$work/${tarball##*/}"
    }
    claim "make dist gives the same bytes each time" repeated
    claim "it has what is committed, and nothing else" equal \
        "$(tar -tzf "$tarball" | grep -v '/$' | sed 's|^[^/]*/||' | sort)" \
        "$(git ls-tree -r --name-only HEAD | sort)"
    claim "all of it below one folder with the version" equal \
        "$(tar -tzf "$tarball" | cut -d / -f 1 | sort -u)" "myalloc-$version"
fi
finish
