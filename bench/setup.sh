#!/bin/sh
# Installs, on Debian, the rival allocators, the real programs of `make bench-real`, and gnuplot.
# What cannot be installed is named; the benchmarks run without it and name it as skipped.
set -u

packages="libjemalloc2 libmimalloc2.0 libtcmalloc-minimal4 libtbbmalloc2 libclang-rt-14-dev
gnuplot-nox gcc clang python3 perl sqlite3 git redis-server redis-tools lua5.4 nodejs ruby
ghostscript z3 xz-utils"

as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
$as_root apt-get update -q || exit 1

missing=
for package in $packages; do
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "$package" >/dev/null || \
        missing="$missing $package"
done
[ -z "$missing" ] || echo "not installed:$missing" >&2
[ -z "$missing" ]
