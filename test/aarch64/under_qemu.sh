#!/bin/sh
# under_qemu.sh ROOT COMMAND... - runs a command that starts programs for aarch64 as if they were
# this machine's own: qemu-user takes them, in a user namespace, so that nothing outside changes.
# Linux before 6.7 has no such table of its own for a namespace.
if [ "${IN_NAMESPACE-}" != yes ]; then
    export IN_NAMESPACE=yes
    exec unshare -Urm "$0" "$@"
fi
table=/proc/sys/fs/binfmt_misc
elf='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff'
mount -t binfmt_misc none $table &&
    printf ':aarch64:M::%s:%s:%s:F' "$elf\x02\x00\xb7\x00" "$mask\xfe\xff\xff\xff" \
        "$(command -v qemu-aarch64-static)" >$table/register || exit 1
QEMU_LD_PREFIX=$1
export QEMU_LD_PREFIX
shift
exec "$@"
