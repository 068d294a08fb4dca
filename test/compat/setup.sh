#!/bin/bash
# setup.sh - installs the programs of the compat matrix, and the allocators to compare with, by
# apt-get. What cannot be installed is named; its cases are skipped then. No service is started.
set -u
cd "$(dirname "$0")/../.." || exit 1

mapfile -t packages < <(python3 test/compat/run.py --packages
    printf '%s\n' libjemalloc2 libmimalloc2.0 libtcmalloc-minimal4 libtbbmalloc2 libclang-rt-14-dev)
mapfile -t missing < <(for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok' || echo "$package"
done)
[ ${#missing[@]} -gt 0 ] || { echo "setup.sh: all is there" && exit 0; }
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup.sh: please install: ${missing[*]}" >&2
    exit 1
fi

# Debian starts a service as soon as it is installed, unless this file refuses.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
# Another apt-get may be at work: wait for it.
install=(apt-get install -y -qq -o DPkg::Lock::Timeout=600 --no-install-recommends)
apt-get update -qq
if ! "${install[@]}" "${missing[@]}" >/dev/null </dev/null; then
    for package in "${missing[@]}"; do
        "${install[@]}" "$package" >/dev/null </dev/null || echo "setup.sh: no $package" >&2
    done
fi
