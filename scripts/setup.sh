#!/bin/bash
# setup.sh - installs what the tests need and the system lacks; does nothing where all is there.
set -u

# One line per need: a command, or a file by its path, and the Debian package that brings it.
needs='
gcc gcc
g++ g++
make make
clang clang
clang-format clang-format
clang-tidy clang-tidy
ar binutils
/usr/include/criterion/criterion.h libcriterion-dev
/usr/include/linux/seccomp.h linux-libc-dev
dash dash
diff diffutils
find findutils
git git
gzip gzip
perl perl
mandoc mandoc
/usr/bin/pydoc3 python3
setarch util-linux
sqlite3 sqlite3
strace strace
tar tar
valgrind valgrind
xz xz-utils
'

missing_packages() {
    local need package
    while read -r need package; do
        case $need in
        '') ;;
        /*) [ -e "$need" ] || echo "$package" ;;
        *) command -v "$need" >/dev/null || echo "$package" ;;
        esac
    done <<<"$needs" | sort -u
}

mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup.sh: please install: ${missing[*]}" >&2
    exit 1
fi
echo "setup.sh: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq &&
    apt-get install -y -qq -o DPkg::Lock::Timeout=600 --no-install-recommends "${missing[@]}" \
        >/dev/null </dev/null || exit 1
[ -z "$(missing_packages)" ] || {
    echo "setup.sh: still missing: $(missing_packages | tr '\n' ' ')" >&2
    exit 1
}
