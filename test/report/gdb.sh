# gdb.sh - the commands of scripts/gdb tell of blocks in known states what they are, in a process
# that crashed and in the core of it.
. test/support/tap.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
script=$PWD/scripts/gdb/myalloc-gdb.py
if [ -z "${LIB-}" ]; then
    echo "ok - glibc has no such commands"
    exit 0
fi
if ! gdb -nx -batch -ex 'python print(6 * 7)' 2>&1 | grep -qx 42 ||
    ! gdb -nx -batch -ex run /bin/true 2>&1 | grep -q 'exited normally'; then
    echo "# skipped: the commands of gdb: no gdb with Python here, or no ptrace"
    echo "ok - what cannot be looked at is said"
    exit 0
fi

cat >"$work/crash.c" <<'END_C'
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#define KEPT   800
#define SHRUNK 1500
struct chunk { int state; } g_page_map; // the program's own: names are no trouble
char *used, *freed, *medium, *medium_freed, *large, *large_freed, *span, *span_freed;
char *huge, *huge_freed, *kept[KEPT], *shrunk[SHRUNK], *below;
char ours[100];
char *pooled, *pooled_freed, *cell, *cell_freed;
__attribute__((weak)) void *myalloc_pool_create(size_t block_bytes, unsigned flags);
__attribute__((weak)) void *myalloc_pool_alloc(void *pool, size_t bytes);
__attribute__((weak)) void myalloc_pool_free(void *pool, void *block);
static void use_pools(void)
{
    void *pool = myalloc_pool_create(0, 0);
    pooled = myalloc_pool_alloc(pool, 90);
    pooled_freed = myalloc_pool_alloc(pool, 1000);
    myalloc_pool_alloc(pool, 50);
    myalloc_pool_free(pool, pooled_freed);
    pool = myalloc_pool_create(64, 0);
    cell_freed = myalloc_pool_alloc(pool, 60);
    cell = myalloc_pool_alloc(pool, 60);
    myalloc_pool_free(pool, cell_freed);
}
__attribute__((noinline)) char *get_sampled(size_t bytes)
{
    char *block = malloc(bytes);
    return block;
}
static void crash(void)
{
    __builtin_trap();
}
int main(int argc, char **argv)
{
    (void)argv;
    do { // the first ones may be of a larger class
        used = get_sampled(100);
    } while (malloc_usable_size(used) == 128);
    do {
        freed = malloc(200);
    } while (malloc_usable_size(freed) == 256);
    free(freed);
    for (int i = 0; i < KEPT; i++) {
        kept[i] = malloc(300);
    }
    for (int i = 0; i < KEPT - 1; i++) {
        free(kept[i]);
    }
    for (int i = 0; i < SHRUNK; i++) {
        shrunk[i] = malloc(400);
    }
    for (int i = 0; i < SHRUNK - 1; i++) {
        free(shrunk[i]);
    }
    medium = malloc(5000);
    medium_freed = malloc(7000);
    free(medium_freed);
    large = malloc(100000);
    large_freed = malloc(60000);
    below = malloc(500000);
    span_freed = malloc(700000);
    span = malloc(400000);
    free(span_freed);
    free(large_freed);
    use_pools();
    huge = memset(malloc(5000000), 1, 10);
    huge_freed = malloc(7000000);
    free(huge_freed);
    if (argc > 1) { // what a link that was written over makes unknown is told so
        memset(freed, 'A', 8);
    }
    crash();
    return 0;
}
END_C
gcc -O0 -fno-builtin -g -o "$work/crash" "$work/crash.c" || exit 1

# A name, where the block begins, the address that is asked for.
cat >"$work/asked" <<'END_ASKED'
used used used
inside used used+99
never used+112*120 used+112*120
freed freed freed
depot kept[100] kept[100]+1
magazine kept[798] kept[798]
kept_one kept[799] kept[799]
home shrunk[1498] shrunk[1498]
shrunk_one shrunk[1499] shrunk[1499]
medium medium medium+4999
medium_freed medium_freed medium_freed
large large large+99999
large_freed large_freed large_freed
span span span
span_inside span span+399999
span_freed span_freed span_freed+300000
huge huge huge
huge_inside huge huge+4999999
huge_freed huge_freed huge_freed
pooled pooled pooled+95
pooled_freed pooled_freed pooled_freed+500
cell cell cell+63
cell_freed cell_freed cell_freed
data ours ours+5
code main main
stack $sp $sp
null 0 0
END_ASKED
cat >"$work/ask.py" <<'END_PY'
# One line for each: its name and what was told, START for the start that it should have.
def number(text):
    value = gdb.parse_and_eval(text)
    if value.type.strip_typedefs().code in (gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_FUNC):
        value = value.address
    return int(value)


for line in open(folder + "/asked"):
    name, start, address = line.split()
    try:
        told = gdb.execute("myalloc block " + address, to_string=True).splitlines()
        told[0] = told[0].split(": ", 1)[1].replace(f"at {number(start):#x},", "at START,")
    except gdb.error as error:
        told = [f"error: {error}"]
    print(f"{name}:", " / ".join(told))
print(gdb.execute("myalloc heap", to_string=True))
END_PY

# in_gdb OPTIONS COMMAND... - what gdb says, with the library preloaded to what it runs.
in_gdb() {
    local options=$1 commands=()
    shift
    for command; do
        commands+=(-ex "$command")
    done
    timeout 120 gdb -nx -batch -ex 'set pagination off' -ex 'set startup-with-shell off' \
        -ex "set environment LD_PRELOAD=$LIB" \
        -ex "set environment MYALLOC_CONF=huge_bytes:4194304,$options" "${commands[@]}" 2>&1
}
asking=("source $script" "python folder = '$work'" "source $work/ask.py")

# told FILE NAME PATTERN - the line of that name is exactly so.
told() {
    sed -n "s/^$2: //p" "$1" | grep -qxE -- "$3" || { grep "^$2: " "$1" && false; }
}
cached="in the (loaded|spare) magazine of (slot [0-9]+|the slot of a thread, 0x[0-9a-f]+)"
slab='/     class [0-9]+, slab at 0x[0-9a-f]+, block [0-9]+ of [0-9]+'
pool='/     pool at 0x[0-9a-f]+, [0-9]+ blocks in use'
# all_told HOW FILE - the claims about all addresses.
all_told() {
    while IFS='|' read -r name pattern; do
        claim "$1: $name" told "$2" "$name" "$pattern"
    done <<END_CLAIMS
used|small block of 112 bytes at START, its start: in use $slab
inside|small block of 112 bytes at START, 99 bytes inside: in use $slab
never|small block of 112 bytes at START, its start: free, never carved $slab
freed|small block of 208 bytes at START, its start: free, $cached $slab
depot|small block of 320 bytes at START, 1 bytes inside: free, in the depot $slab
magazine|small block of 320 bytes at START, its start: free, $cached $slab
kept_one|small block of 320 bytes at START, its start: in use $slab
home|small block of 416 bytes at START, its start: free, home in its slab $slab
shrunk_one|small block of 416 bytes at START, its start: in use $slab
medium|medium block of 5120 bytes at START, 4999 bytes inside: in use $slab
medium_freed|medium block of 7168 bytes at START, its start: free, $cached $slab
large|large block of 114688 bytes at START, 99999 bytes inside: in use $slab
span|large block of [0-9]+ bytes at START, its start: in use /     a span of .*
span_inside|large block of [0-9]+ bytes at START, 399999 bytes inside: in use /     a span of .*
large_freed|(large block|free span|freed span) of .*: free.*
span_freed|free span of [0-9]+ bytes at .*, [0-9]+ bytes inside: free /     [0-9]+ bytes .* dirty
huge|huge block of 50[0-9]+ bytes at START, its start: in use /     mapping of .*
huge_inside|huge block of 50[0-9]+ bytes at START, 4999999 bytes inside: in use /     mapping of .*
huge_freed|(huge block|kept mapping) of .* at .*: free.*
pooled|pool block of 96 bytes at START, 95 bytes inside: in use $pool
pooled_freed|pool block of [0-9]+ bytes at START, 500 bytes inside: free, in its pool $pool
cell|pool block of 64 bytes at START, 63 bytes inside: in use $pool
cell_freed|pool block of 64 bytes at START, its start: free, in its pool $pool
data|no block of libmyalloc
code|no block of libmyalloc
stack|no block of libmyalloc
null|no block of libmyalloc
END_CLAIMS
}

in_gdb stats:0 "file $work/crash" run "${asking[@]}" "generate-core-file $work/core" \
    >"$work/live"
all_told "a live process" "$work/live"
sums() {
    awk -v bytes="$2" -v want="$3" '$1 ~ /^[0-9]+$/ && $2 == bytes { found = $4 == want }
        END { exit !found }' "$1"
}
whole_heap() {
    claim "$1: blocks in use by class" eval "sums '$2' 112 1 && sums '$2' 208 0 &&
        sums '$2' 320 1 && sums '$2' 416 1 && sums '$2' 5120 1 && sums '$2' 114688 1"
    claim "$1: large spans" grep -q '^large spans: 2, ' "$2"
    claim "$1: huge blocks" grep -q '^huge blocks: 1, 50' "$2"
    claim "$1: free spans" grep -qE '^free spans: [1-9][0-9]*, [0-9]+ bytes; dirty: ' "$2"
}
whole_heap "a live process" "$work/live"
if [ -s "$work/core" ]; then
    in_gdb stats:0 "file $work/crash" "core-file $work/core" "${asking[@]}" >"$work/dead"
    all_told "a core" "$work/dead"
    whole_heap "a core" "$work/dead"
else
    echo "# skipped: gdb made no core here, so that nothing was read from one"
fi

in_gdb profile:1,profile_bytes:1,profile_file:/dev/null "file $work/crash" run "source $script" \
    'myalloc block used+9' 'myalloc block freed' >"$work/sampled"
claim "the sampled stack of a block is told" grep -A 2 'sampled: 100 bytes' "$work/sampled"
claim "with functions and lines" grep -q '#0 .* get_sampled .*crash.c:[0-9]' "$work/sampled"
claim "a freed block has none" equal "$(grep -c sampled: "$work/sampled")" 1

# Which ones lie there is left to chance: of forty, some do.
mapfile -t several < <(printf 'myalloc block shrunk[%d]\n' $(seq 0 39))
in_gdb guard:1 "file $work/crash" run "source $script" "${several[@]}" >"$work/guarded"
claim "a freed block between guard pages is told" \
    grep -q '^0x.*: sampled block of 400 bytes at .*, its start: free$' "$work/guarded"
claim "with who allocated it" eval \
    "grep -A 1 'allocated by thread [0-9]' '$work/guarded' | grep -q '#0 .* main'"
claim "and who freed it" eval \
    "grep -A 1 'freed by thread [0-9]' '$work/guarded' | grep -q '#0 .* main'"

in_gdb harden:1 "file $work/crash" run "${asking[@]}" >"$work/hardened"
claim "hardened: a block in use" told "$work/hardened" inside \
    'hardened block of 100 bytes at START, 99 bytes inside: in use /     class .*'
claim "hardened: a freed block" told "$work/hardened" freed \
    'hardened block of 200 bytes at START, its start: free.* /     class .*'
claim "hardened: a large block" told "$work/hardened" span_inside \
    'large block of 400000 bytes at START, 399999 bytes inside: in use /     between guard .*'
claim "hardened: a freed large block" told "$work/hardened" span_freed \
    '(freed large block|free span) of [0-9]* bytes at .*: free.*'
claim "hardened: a huge block" told "$work/hardened" huge_inside \
    'huge block of [0-9]* bytes at START, 4999999 bytes inside: in use /     mapping .*'
claim "hardened: a freed huge block" told "$work/hardened" huge_freed '.*: free, in quarantine .*'
claim "hardened: blocks in use by class" sums "$work/hardened" 112 1

in_gdb stats:0 "file $work/crash" 'run damage' "source $script" 'myalloc block freed' \
    'myalloc block freed+416' >"$work/damaged"
claim "a link that was written over is told" \
    grep -qE '^damaged: the link of the free block 0x[0-9a-f]+ was written over' "$work/damaged"
claim "a block that may stand behind it is not said to be in use" \
    grep -q 'its start: in use, or free behind damage$' "$work/damaged"

strip -o "$work/stripped.so" "$LIB"
LIB=$work/stripped.so in_gdb stats:0 "file $work/crash" run "${asking[@]}" >"$work/stripped"
claim "without debug information: used" told "$work/stripped" used \
    "small block of 112 bytes at START, its start: in use $slab"
claim "without debug information: depot" told "$work/stripped" depot \
    "small block of 320 bytes at START, 1 bytes inside: free, in the depot $slab"
claim "without debug information: what is not known is said" told "$work/stripped" huge \
    'no small, medium or large block /     huge blocks are not known: .*'

LIB='' in_gdb stats:0 "file $work/crash" run "source $script" 'myalloc heap' >"$work/without"
claim "without the library that is said" grep -q '^myalloc: this process has no libmyalloc' \
    "$work/without"
in_gdb stats:0 "file $work/crash" run "source $script" 'myalloc block no_such' >"$work/unknown"
claim "what is no address is said" eval "grep -q '^myalloc block: no_such is no address: ' \
    '$work/unknown' && ! grep -q Exception '$work/unknown'"
in_gdb stats:0 "file $work/crash" "source $script" 'myalloc block 0' >"$work/nothing"
claim "without a process that is said" grep -q '^myalloc: no process and no core' "$work/nothing"
finish
