#!/bin/bash
# deb_bare.sh - builds the Debian packages, installs them, uses them and removes them again, on the
# system that it runs on: a bare one, for it compares all files before and after. `make check-deb`
# runs it by scripts/bare.sh, for once a week. DEBS names a folder with packages that are built.
set -u
. test/support/tap.sh
work=$(mktemp -d)
install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends)
version=$(sed -n 's/^#define MYALLOC_VERSION "\(.*\)"/\1/p' include/myalloc.h)
needed=(make gcc libc6-dev pkg-config)
[ -n "${DEBS-}" ] || needed+=(build-essential debhelper lintian)
claim "the lists of packages come" apt-get update -qq
claim "what is needed comes: ${needed[*]}" "${install[@]}" "${needed[@]}"

# files - all but the records of dpkg, which remembers what was there, caches, and what lives in
# memory, as live pages do.
files() {
    find / -xdev \( -path /proc -o -path /dev/shm -o -path /tmp -o -path /checkout \
        -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache -o -path /var/log \
        -o -path /etc/ld.so.cache \) \
        -prune -o -printf '%p %M %l\n' | sort
}

[ -n "${DEBS-}" ] || claim "the packages are built, and lintian finds nothing" make -s deb
[ "$failed_count" -eq 0 ] || exit 1
cpu=$(dpkg --print-architecture)
mapfile -t packages < <(ls "${DEBS:-$PWD/build/deb}"/*_"$cpu".deb | grep -v dbgsym)
claim "there are three" [ ${#packages[@]} -eq 3 ]
files >"$work/before"
claim "they are installed" "${install[@]}" "${packages[@]}"
claim "the library is found by its soname" grep -q /libmyalloc.so \
    <(LD_PRELOAD=libmyalloc.so.0 grep myalloc /proc/self/maps)
claim "the command tells the version" equal "$(myalloc --version)" "myalloc $version"
claim "the command finds the library" grep -q 'peak heap' <(myalloc run sort /etc/passwd 2>&1)
cat >"$work/program.c" <<'END'
#include <myalloc.h>
#include <stdlib.h>
int main(void)
{
    return !myalloc_owns(malloc(1));
}
END
used() {
    cc "$work/program.c" "$@" -o "$work/program" && "$work/program"
}
# shellcheck disable=SC2046
claim "a program is linked with it" used $(pkg-config --cflags --libs myalloc)
claim "a static program is linked with it" used -static -lmyalloc
if [ "$(uname -m)" = x86_64 ]; then # whose instructions the check knows
    claim "malloc and free are as fast as in the sources" \
        scripts/check_fast_path.sh "/usr/lib/$(cc -print-multiarch)/libmyalloc.so.0"
fi
claim "they are removed" env DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq \
    libmyalloc0 libmyalloc-dev myalloc-tools
files >"$work/after"
claim "nothing is left of them" diff "$work/before" "$work/after"
rm -rf "$work"
finish
