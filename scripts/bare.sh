#!/bin/bash
# bare.sh [COMMAND...] - a bare Debian 12 (debootstrap, minbase) below /var/tmp with a copy of the
# sources, where the two commands of README run as they stand there, or the COMMANDs. Root only; an
# hour and 3 GB. BARE names a folder for the tree, which then stays.
#
# What a package only recommends is not installed there, so a package that is used without being
# named fails here. Nothing is mounted but /proc: tests that need /dev/pts or more must say so.
set -u
cd "$(dirname "$0")/.." || exit 1
complain() {
    echo "bare.sh: $1" >&2
    exit 1
}
[ "$(id -u)" -eq 0 ] || complain "only root can make a bare tree"
command -v debootstrap >/dev/null || complain "please install: debootstrap"
[ $# -gt 0 ] || set -- 'sh scripts/demo.sh' 'make check'

tree=${BARE:-$(TMPDIR=/var/tmp mktemp -d)}
leave() {
    umount "$tree/proc" 2>/dev/null
    rm -f "$tree.log"
    [ -n "${BARE-}" ] || rm -rf --one-file-system "$tree"
}
trap leave EXIT
if [ ! -e "$tree/etc/debian_version" ]; then
    # From where this system has its packages.
    sources=(/etc/apt/sources.list.d/debian.sources /etc/apt/sources.list)
    mirror=$(sed -n 's/^URIs: *//p; s/^deb \([^[ ]*\) .*/\1/p' "${sources[@]}" 2>/dev/null |
        head -n 1)
    debootstrap --variant=minbase bookworm "$tree" ${mirror:+"$mirror"} >"$tree.log" 2>&1 ||
        complain "debootstrap failed: $(tail -n 1 "$tree.log")"
    rm -f "$tree.log"
fi
chmod 755 "$tree" # it is / for users other than root, too
mount -t proc proc "$tree/proc" || complain "cannot mount /proc in $tree"
rm -rf "$tree/checkout" && mkdir "$tree/checkout"
tar -c --exclude=./.git --exclude='./build*' --exclude=./libmyalloc.so --exclude=./myalloc . |
    tar -x -C "$tree/checkout"

failed=0
for command in "$@"; do
    echo "bare.sh: $command"
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C http_proxy="${http_proxy-}" \
        https_proxy="${https_proxy-}" chroot "$tree" sh -c "cd /checkout && $command" </dev/null ||
        failed=1
done
exit $failed
