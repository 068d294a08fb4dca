#!/bin/bash
# deb.sh - Debian packages into build/deb: libmyalloc0, libmyalloc-dev, myalloc-tools. The sources
# and scripts/debian are put together there; `make deb` runs it. Needs debhelper; lintian judges the
# packages where it is installed, and what it finds must be in an override with its reason.
set -eu
cd "$(dirname "$0")/.."
version=${VERSION:?}
for need in dh:debhelper dpkg-buildpackage:dpkg-dev g++:build-essential; do
    if ! command -v "${need%:*}" >/dev/null; then
        echo "deb.sh: please install: ${need#*:}" >&2
        exit 1
    fi
done

tree=$PWD/build/deb/libmyalloc-$version
rm -rf build/deb && mkdir -p "$tree"
tar -c --exclude=./.git --exclude='./build*' --exclude=./libmyalloc.so --exclude=./myalloc . |
    tar -x -C "$tree"
cp -r scripts/debian "$tree/debian"
# The date of the version is that of its changelog, so that the same sources give the same packages.
date=$(date -R -u -d "@${SOURCE_DATE_EPOCH:-$(stat -c %Y CHANGELOG.md)}")
sed -i "s/@VERSION@/$version/; s/@DATE@/$date/" "$tree/debian/changelog"
{
    echo "libmyalloc.so.${version%%.*} libmyalloc0 #MINVER#"
    grep -Ev '^(#|$)' test/golden/exports.txt | sort | sed "s/.*/ &@Base $version/"
} >"$tree/debian/libmyalloc0.symbols"

# What make was told is not for the packages.
(cd "$tree" && env -u B -u VARIANT -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u VERSION \
    -u CFLAGS -u CPPFLAGS -u LDFLAGS -u CFLAGS_EXTRA \
    dpkg-buildpackage -b -us -uc) >build/deb/log 2>&1 || { tail -n 30 build/deb/log && exit 1; }
rm -rf "$tree"
ls build/deb/*.deb
if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error,warning,info build/deb/*.changes
else
    echo "deb.sh: lintian is not installed, so nobody has judged these" >&2
fi
