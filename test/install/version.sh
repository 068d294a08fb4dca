# version.sh - one version in one place: include/myalloc.h.
. test/support/tap.sh
version=$(sed -n 's/^#define MYALLOC_VERSION "\(.*\)"/\1/p' include/myalloc.h)
claim "the version has three numbers" grep -Eqx '[0-9]+\.[0-9]+\.[0-9]+' <<<"$version"
claim "the changelog begins with it" equal \
    "$(sed -n 's/^## \([0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)" "$version"
claim "the command tells it" equal "$(build/myalloc --version)" "myalloc $version"
claim "the soname has its first number" eval \
    "readelf -d build/libmyalloc.so | grep -q 'SONAME.*\\[libmyalloc.so.${version%%.*}\\]'"

# elsewhere - lines that name it again, in sources and texts.
elsewhere() {
    ! grep -rnF "$version" Makefile src include test scripts --include='*' |
        grep -v '^include/myalloc.h:[0-9]*:#define MYALLOC_VERSION'
}
claim "it stands nowhere else" elsewhere
finish
