# h23_full_space.sh - in a full address space of which half was freed, another size must fit.
. test/support/tap.sh

# fits BYTES OTHER_BYTES - in 256 MiB of address space.
fits() {
    (ulimit -v 262144 && under "$TEST_PROGRAMS/hazards/programs/full_space" "$1" "$2")
}

claim "a huge block after medium ones" fits 10000 20000000
claim "a medium block after huge ones" fits 5000000 3000
claim "a large block after smaller large ones" fits 200000 900000
claim "a small block after large ones" fits 200000 100
for bytes in 5000 200000 600000 2000000; do
    claim "blocks of $bytes bytes, after others that are cached" \
        under "$TEST_PROGRAMS/hazards/programs/cached_space" $bytes
done
finish
