# libc_settings.sh - what glibc's malloc reads from the environment is honoured, or is nothing here.
. test/support/tap.sh
private=$(mktemp -d)
trap 'rm -rf "$private"' EXIT

cat >"$private/look.c" <<'END'
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static long faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

/* Page faults of the second use of 64 MiB in blocks of 128,000 bytes. */
static long faults_again(void)
{
    static char *blocks[512];
    long before = 0;
    for (int round = 0; round < 2; round++) {
        before = faults();
        for (int i = 0; i < 512; i++) {
            memset(blocks[i] = malloc(128000), 1, 128000);
        }
        for (int i = 512; i-- > 0;) {
            free(blocks[i]);
        }
    }
    return faults() - before;
}

int main(int argc, char **argv)
{
    (void)argc;
    char *small = malloc(24);
    char *block = malloc(200000);
    char *large = malloc(5 << 20);
    switch (argv[1][0]) {
    case 'm': // mappings
        printf("%d\n", (int)mallinfo2().hblks);
        break;
    case 'f': // filled
        printf("%02x\n", (unsigned char)small[5]);
        break;
    case 'h': // MiB of the heap, rounded down
        printf("%d\n", (int)(((char *)sbrk(0) - small) >> 20));
        break;
    case 'k':
        printf("%s\n", faults_again() < 1000 ? "kept" : "given back");
        break;
    }
    return block == NULL || large == NULL;
}
END

# sees ANSWER LETTER NAME=VALUE... - what the program says with these variables.
sees() {
    local answer=$1 letter=$2
    shift 2
    equal "$(under env "$@" "$private/look" "$letter" 2>&1)" "$answer"
}

if [[ ${MYALLOC_CONF-} == *harden* ]]; then
    echo "ok - hardened mode has its own places for large blocks, and keeps what was freed"
    exit 0
fi
claim "the program is built" "${CC:-gcc}" -O0 -fno-builtin -o "$private/look" "$private/look.c"
for name in MALLOC_MMAP_MAX_ GLIBC_TUNABLES=glibc.malloc.mmap_max; do
    claim "$name=0: no mappings" sees 0 m "$name=0"
    claim "$name=1: one of two" sees 1 m "$name=1" MALLOC_MMAP_THRESHOLD_=150000
done
for name in MALLOC_MMAP_THRESHOLD_ GLIBC_TUNABLES=glibc.malloc.mmap_threshold; do
    claim "$name=150000: two mappings" sees 2 m "$name=150000"
    claim "$name=0x100000: one" sees 1 m "$name=0x100000"
    claim "$name=100000000: none" sees 0 m "$name=100000000"
done
for name in MALLOC_PERTURB_ GLIBC_TUNABLES=glibc.malloc.perturb; do
    claim "$name=85: new blocks are filled" sees aa f "$name=85"
done
top_pads="MALLOC_TOP_PAD_ GLIBC_TUNABLES=glibc.malloc.top_pad"
[[ ${MYALLOC_CONF-} != *brk:0* ]] || top_pads=""
for name in $top_pads; do
    claim "$name: the break moves by so much more" sees 40 h "$name=$((40 << 20))" \
        MALLOC_MMAP_THRESHOLD_=150000
done
for name in MALLOC_TRIM_THRESHOLD_ GLIBC_TUNABLES=glibc.malloc.trim_threshold; do
    claim "$name=-1 keeps what was freed" sees kept k "$name=-1"
    claim "$name=100000000 keeps so much" sees kept k "$name=100000000"
    claim "$name=200000 keeps little" sees "given back" k "$name=200000"
done
claim "a tunable counts more than a variable" sees 0 m GLIBC_TUNABLES=glibc.malloc.mmap_max=0 \
    MALLOC_MMAP_MAX_=1000
claim "others beside it do not disturb" sees 0 m \
    GLIBC_TUNABLES=glibc.malloc.tcache_count=3:glibc.malloc.mmap_max=0:glibc.malloc.arena_max=1
if [ -n "${LIB-}" ]; then
    claim "our own option has the last word" sees 2 m MALLOC_MMAP_MAX_=0 \
        MYALLOC_CONF="${MYALLOC_CONF:+$MYALLOC_CONF,}huge_max:65536,huge_bytes:150000"
    for value in x 1x 0x '' - 99999999999999999999; do
        # LIBC_ENV-1
        claim "MALLOC_MMAP_MAX_='$value' is nothing" sees 1 m MALLOC_MMAP_MAX_="$value"
        claim "MALLOC_PERTURB_='$value' is nothing" sees 1 m MALLOC_PERTURB_="$value"
    done
fi
finish
