# h10_limited_addresses.sh - the programs of the other suites that need less than 64 MiB, within
# `ulimit -v 65536`: no reserve of ours may stand in their way. (realloc grows a block to 32 MiB,
# which builds with forced pages move by mapping it twice.)
. test/support/tap.sh

within_64_mib() (
    ulimit -v 65536
    under "$TEST_PROGRAMS/$1"
)

for name in aligned_alloc exports free_sized malloc malloc_info malloc_trim malloc_usable_size \
    memalign posix_memalign reallocarray valloc; do
    claim "$name works within 64 MiB of addresses" within_64_mib "api/$name"
done
if [ -n "${LIB-}" ]; then
    for name in double_free realloc_freed wrong_pointer; do
        claim "$name is noticed within 64 MiB of addresses" within_64_mib "corruption/$name"
    done
fi
refused "a program that needs more does not pass" within_64_mib api/calloc
finish
