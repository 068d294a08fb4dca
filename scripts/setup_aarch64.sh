#!/bin/bash
# setup_aarch64.sh ROOT [PACKAGE...] - installs what `make check-aarch64` needs: a cross compiler
# and qemu-user; and puts the packages of aarch64 that its programs are linked with into the folder
# ROOT, beside the system's own, with lists and caches there. Does nothing where all is there.
set -eu
root=$1
shift
packages=(libc6-dev libgcc-s1 libcriterion-dev "$@")
export DEBIAN_FRONTEND=noninteractive

missing=()
command -v aarch64-linux-gnu-gcc >/dev/null ||
    missing+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
command -v qemu-aarch64-static >/dev/null || missing+=(qemu-user-static)
if [ ${#missing[@]} -ne 0 ]; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "setup_aarch64.sh: please install: ${missing[*]}" >&2
        exit 1
    fi
    echo "setup_aarch64.sh: installing ${missing[*]}"
    apt-get update -qq
    apt-get install -y -qq -o DPkg::Lock::Timeout=600 --no-install-recommends "${missing[@]}" \
        >/dev/null </dev/null
fi

[ "$(cat "$root/packages" 2>/dev/null)" != "${packages[*]}" ] || exit 0
echo "setup_aarch64.sh: fetching ${packages[*]} for arm64"
rm -rf "$root"
mkdir -p "$root"
state=$(cd "$root" && pwd)/apt
mkdir -p "$state"/{lists,cache/archives}/partial
touch "$state/status"
cat >"$state/apt.conf" <<CONF
APT::Architecture "arm64"; APT::Architectures { "arm64"; };
Dir::State "$state"; Dir::State::lists "$state/lists"; Dir::State::status "$state/status";
Dir::Cache "$state/cache"; Debug::NoLocking "1"; APT::Sandbox::User "root";
CONF
export APT_CONFIG=$state/apt.conf
# Sources for other architectures only fail.
apt-get update -qq 2>/dev/null || true
apt-get install -y -qq --download-only --no-install-recommends "${packages[@]}" \
    >/dev/null </dev/null
for package in "$state"/cache/archives/*.deb; do
    dpkg -x "$package" "$root"
done
rm -rf "$state"
echo "${packages[*]}" >"$root/packages"
