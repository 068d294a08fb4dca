#!/bin/sh
# Installs, on Debian, the rival allocators, the real programs of `make bench-real`, and gnuplot.
# What cannot be installed is named; the benchmarks run without it and name it as skipped.
set -u

packages="libjemalloc2 libmimalloc2.0 libtcmalloc-minimal4 libtbbmalloc2 libclang-rt-14-dev
gnuplot-nox gcc clang python3 perl sqlite3 git redis-server redis-tools lua5.4 nodejs ruby
ghostscript z3 xz-utils php-cli"

as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
# Another apt-get may be at work: wait for it.
wait_option=DPkg::Lock::Timeout=600
$as_root apt-get update -q || exit 1

install() {
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y -o "$wait_option" --no-install-recommends "$@" >/dev/null </dev/null
}

missing=
if ! install $packages; then
    for package in $packages; do
        install "$package" || missing="$missing $package"
    done
fi
[ -z "$missing" ] || echo "not installed:$missing" >&2
[ -z "$missing" ]
