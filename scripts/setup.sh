#!/bin/bash
# setup.sh [--check] - installs what the tests need and the system lacks; does nothing where all is
# there. `make setup` runs it, by sudo for a user. `make check` runs --check: root gets what is
# missing, anybody else is told of `make setup`.
set -u
mode=${1-}

# One line per need: a command, or a file by its path (a glob), and the Debian package that brings
# it. Nothing that only a recommendation brings may be missing here: `make check-bare`.
needs='
gcc gcc
g++ g++
make make
clang clang
clang-format clang-format
clang-tidy clang-tidy
/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a libclang-rt-14-dev
cmake cmake
ar binutils
/usr/include/criterion/criterion.h libcriterion-dev
/usr/include/linux/seccomp.h linux-libc-dev
dash dash
diff diffutils
find findutils
fish fish
gdb gdb
git git
gzip gzip
perl perl
pkg-config pkg-config
mandoc mandoc
/usr/bin/pydoc3 python3
setarch util-linux
sqlite3 sqlite3
strace strace
tar tar
valgrind valgrind
xz xz-utils
zsh zsh
'

missing_packages() {
    local need package
    while read -r need package; do
        case $need in
        '') ;;
        /*) compgen -G "$need" >/dev/null || echo "$package" ;;
        *) command -v "$need" >/dev/null || echo "$package" ;;
        esac
    done <<<"$needs" | sort -u
}

# complain TEXT - and leave.
complain() {
    echo "setup.sh: $1" >&2
    exit 1
}

mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] && [ "$mode" = --check ]; then
    complain "the tests need ${missing[*]}; \`make setup\` installs them"
fi
command -v apt-get >/dev/null || complain "no apt-get here; please install: ${missing[*]}"
as_root=(env)
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || complain "please run as root: apt-get install ${missing[*]}"
    as_root=(sudo env)
fi
echo "setup.sh: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        -o DPkg::Lock::Timeout=600 --no-install-recommends "${missing[@]}" >/dev/null </dev/null ||
    exit 1
[ -z "$(missing_packages)" ] || complain "still missing: $(missing_packages | tr '\n' ' ')"
