# Heap profiles, end to end: fetched from processes, shown in every form; sourced by run.sh.
library=$(dirname "$myalloc")/libmyalloc.so

cat >"$tmp/sites.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define SITE __attribute__((noinline, noclone))
static inline __attribute__((always_inline)) void *inlined(size_t bytes)
{
    return memset(malloc(bytes), 1, bytes);
}
SITE void *big_site(void) { return inlined(3000000); }
SITE void *small_site(void) { return inlined(1000); }
void *keep[3000];
int main(int argc, char **argv)
{
    char line[10];
    for (int i = 0; i < 1000; i++) {
        keep[i] = small_site();
    }
    keep[1000] = big_site();
    puts("ready");
    fflush(stdout);
    while (argc > 1 && read(0, line, sizeof line) > 0) {
        for (int i = 0; i < 1000; i++) {
            keep[1001 + i] = small_site();
        }
        puts("more");
        fflush(stdout);
    }
    return argv[0] == NULL;
}
END
build -g -o "$tmp/sites" "$tmp/sites.c"

exactly() {
    MYALLOC_LIB=$library MYALLOC_CONF=profile_bytes:1 "$myalloc" run --profile "$1" "$tmp/sites" \
        >/dev/null 2>"$tmp/err"
}
exactly "$tmp/a.heap"
says run-profile "the heap profile is in $tmp/a.heap"
check run-profile-own "$(ls -d /tmp/myalloc-profile-* 2>/dev/null | wc -l)" -eq 0
"$myalloc" profile -o "$tmp/a.folded" "$tmp/a.heap"
bytes_of() { awk -v site="$2" '$0 ~ site { sum += $NF } END { print sum + 0 }' "$1"; }
check folded-big "$(bytes_of "$tmp/a.folded" ';big_site;inlined ')" -eq 3000000
check folded-small "$(bytes_of "$tmp/a.folded" ';small_site;inlined ')" -eq 1000000
check folded-main "$(bytes_of "$tmp/a.folded" ';main;(big|small)_site;')" -eq 4000000
cp "$tmp/sites" "$tmp/kept" && strip --strip-debug "$tmp/sites" -o "$tmp/stripped" &&
    cat "$tmp/stripped" >"$tmp/sites"
"$myalloc" profile -o "$tmp/b.folded" "$tmp/a.heap"
check symbols-without-debug "$(bytes_of "$tmp/b.folded" ';big_site ')" -eq 3000000
cat "$tmp/kept" >"$tmp/sites"

# Names of C++ without debug data are told in plain words, and shortened where they are long.
cat >"$tmp/plain.c" <<'END'
#include <stdlib.h>
__attribute__((noinline)) void *inner(size_t bytes)
    __asm__("_ZN5outerISt6vectorIiSaIiEEE5innerEm");
void *volatile keep;
void *inner(size_t bytes)
{
    return keep = malloc(bytes);
}
int main(void)
{
    return inner(3000000) == NULL;
}
END
build -fno-builtin -fno-optimize-sibling-calls -o "$tmp/plain" "$tmp/plain.c"
MYALLOC_LIB=$library MYALLOC_CONF=profile_bytes:1 "$myalloc" run --profile "$tmp/plain.heap" \
    "$tmp/plain" 2>"$tmp/err"
if command -v c++filt >/dev/null; then
    "$myalloc" profile -o "$tmp/plain.folded" "$tmp/plain.heap"
    long='outer<std::vector<int, std::allocator<int> > >::inner(unsigned long)'
    check names-plain "$(grep -cF ";$long 3000000" "$tmp/plain.folded")" -eq 1
    COLUMNS=80 "$myalloc" profile "$tmp/plain.heap" >"$tmp/out"
    check names-short "$(grep -cF '  outer<>::inner(unsigned long)' "$tmp/out")" -eq 1
    COLUMNS=200 "$myalloc" profile "$tmp/plain.heap" >"$tmp/out"
    check names-wide "$(grep -cF "  $long" "$tmp/out")" -eq 1
fi

"$myalloc" profile "$tmp/a.heap" >"$tmp/table"
wide=$(awk 'length($0) > 80 && !/^\// { n++ } END { print n + 0 }' "$tmp/table")
check table-width "$wide" -eq 0
check table-exact "$(grep -c '^Exact: every block was noted' "$tmp/table")" -eq 1

# The page: whole, and names cannot break out of the data.
"$myalloc" profile -o "$tmp/a.html" "$tmp/a.heap"
check page-loads-nothing "$(grep -cE '(src|href)=|url\(|https?:' "$tmp/a.html")" -eq 0
big='"big_site","inlined"\],\[3000000,3000000,3000000\]'
check page-data "$(grep -c "$big" "$tmp/a.html")" -eq 1
sed 's|^# command: .*|# command: </script><b>\&"x|' "$tmp/a.heap" >"$tmp/evil.heap"
"$myalloc" profile -o "$tmp/evil.html" "$tmp/evil.heap"
check page-escapes "$(grep -c '</script><b>' "$tmp/evil.html")" -eq 0

# pprof's form, read by a few lines of our own, and by pprof where it is.
"$myalloc" profile -o "$tmp/a.pb.gz" "$tmp/a.heap"
cat >"$tmp/proto.py" <<'END'
import gzip, sys
def fields(data):
    at = 0
    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]; at += 1
            value |= (byte & 127) << shift; shift += 7
            if byte < 128: return value
    while at < len(data):
        key = varint()
        if key & 7 == 0: yield key >> 3, varint()
        else:
            assert key & 7 == 2
            count = varint(); yield key >> 3, data[at:at + count]; at += count
def numbers(data):
    out, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift; shift += 7
        if byte < 128: out.append(value); value = shift = 0
    return out
strings, samples, functions, places, types = [], [], {}, {}, []
for field, value in fields(gzip.open(sys.argv[1]).read()):
    if field == 6: strings.append(value.decode())
    elif field == 2: samples.append(dict(fields(value)))
    elif field == 5: f = dict(fields(value)); functions[f[1]] = f[2]
    elif field == 4: p = dict(fields(value)); places[p[1]] = dict(fields(p[4]))[1]
    elif field == 1: types.append(dict(fields(value))[1])
for sample in samples:
    names = [strings[functions[places[p]]] for p in numbers(sample[1])]
    values = dict(zip([strings[t] for t in types], numbers(sample[2])))
    print(';'.join(reversed(names)), values['inuse_space'])
END
python3 "$tmp/proto.py" "$tmp/a.pb.gz" >"$tmp/proto"
check proto "$(sort "$tmp/proto" | grep -v ' 0$' | cksum)" = "$(sort "$tmp/a.folded" | cksum)"

# Two of them; damaged ones; names that ask for nothing known.
code compare-alike 0 "$myalloc" profile "$tmp/a.heap" "$tmp/a.heap"
check compare-alike-says "$(grep -c 'no stack holds more' "$tmp/out")" -eq 1
grep -v ' 3000000 ' "$tmp/a.heap" >"$tmp/less.heap"
code compare-grown 0 "$myalloc" profile -o "$tmp/grown.folded" "$tmp/less.heap" "$tmp/a.heap"
check compare-grown "$(bytes_of "$tmp/grown.folded" ';big_site;inlined ')" -eq 3000000
check compare-grown-only "$(bytes_of "$tmp/grown.folded" ';small_site;')" -eq 0
code compare-page 0 "$myalloc" profile -o "$tmp/grown.html" "$tmp/less.heap" "$tmp/a.heap"
check compare-page "$(grep -c "$big" "$tmp/grown.html")" -eq 1
check compare-page-only "$(grep -c '"small_site"' "$tmp/grown.html")" -eq 0
code compare-shrunk 0 "$myalloc" profile -o "$tmp/shrunk.folded" "$tmp/a.heap" "$tmp/less.heap"
check compare-shrunk ! -s "$tmp/shrunk.folded"
code compare-heap 2 "$myalloc" profile -o "$tmp/x.heap" "$tmp/less.heap" "$tmp/a.heap"
says compare-heap 'two profiles are no heap profile'
head -n 12 "$tmp/a.heap" >"$tmp/cut.heap"
code profile-cut 1 "$myalloc" profile "$tmp/cut.heap"
says profile-cut 'no heap profile'
code profile-binary 1 "$myalloc" profile "$tmp/sites"
code profile-none 1 "$myalloc" profile "$tmp/nothing.heap"
code profile-form 2 "$myalloc" run --profile "$tmp/x.png" true
says profile-form 'want a name that ends in'
code profile-request 2 "$myalloc" profile $$ frobnicate
code profile-deaf 1 "$myalloc" profile $$ dump
says profile-deaf 'cannot be asked'

# A name that is refused, or a profile that cannot be read, costs no file that is there.
echo precious | tee "$tmp/kept.png" >"$tmp/kept.html"
code form-refused 2 "$myalloc" profile -o "$tmp/kept.png" "$tmp/a.heap"
says form-refused 'want a name that ends in'
check form-refused-keeps "$(cat "$tmp/kept.png")" = precious
code form-refused-new 2 "$myalloc" profile -o "$tmp/new.png" "$tmp/a.heap"
check form-refused-makes-nothing ! -e "$tmp/new.png"
code form-without-profile 1 "$myalloc" profile -o "$tmp/kept.html" "$tmp/cut.heap"
check form-without-profile-keeps "$(cat "$tmp/kept.html")" = precious
code form-over-old 0 "$myalloc" profile -o "$tmp/kept.html" "$tmp/a.heap"
check form-over-old "$(grep -c precious "$tmp/kept.html")" -eq 0
cp "$tmp/a.heap" "$tmp/self.heap"
code form-onto-itself 0 "$myalloc" profile -o "$tmp/self.heap" "$tmp/self.heap"
check form-onto-itself "$(cksum <"$tmp/self.heap")" = "$(cksum <"$tmp/a.heap")"
{ cat "$tmp/a.folded"; seq 10000; } >"$tmp/long.folded"
"$myalloc" profile -o "$tmp/long.folded" "$tmp/a.heap"
check form-over-longer "$(cksum <"$tmp/long.folded")" = "$(cksum <"$tmp/a.folded")"
code maps-gone-keeps 1 "$myalloc" maps -o "$tmp/kept.png" 99999999
check maps-gone-keeps "$(cat "$tmp/kept.png")" = precious

# allocate_while PID - until that command has ended; its code.
allocate_while() {
    local i
    for i in $(seq 300); do
        kill -0 "$1" 2>/dev/null || break
        more
        sleep 0.05
    done
    wait "$1"
}

# In a running process: by a signal, and by the live page. start_sites OPTIONS [COMMAND...], which
# becomes the program.
start_sites() {
    local options=$1
    shift
    mkfifo "$tmp/in" "$tmp/outs"
    "$@" env MYALLOC_CONF="$options" LD_PRELOAD="$library" "$tmp/sites" more \
        <"$tmp/in" >"$tmp/outs" &
    pid=$!
    exec 6>"$tmp/in" 5<"$tmp/outs"
    read -r line <&5
}
more() { echo >&6 && read -r line <&5; }
end_sites() {
    exec 6>&- 5<&-
    wait $pid
    rm -f "$tmp/in" "$tmp/outs"
}
start_sites profile_signal:10,profile_bytes:1
code signal-start 0 "$myalloc" profile $pid start
says signal-start "the profile of process $pid is on"
more
code signal-dump 0 "$myalloc" profile -o "$tmp/c.folded" $pid dump
check signal-dump "$(bytes_of "$tmp/c.folded" ';small_site')" -eq 1000000
before=$(bytes_of "$tmp/c.folded" 'from before')
check signal-before "$before" -ge 4000000 -a "$before" -le 4200000
"$myalloc" profile $pid dump >"$tmp/out"
check signal-before-told \
    "$(grep -cE '^In use: .* and [34][.0-9]* MiB from before\.$' "$tmp/out")" -eq 1
code signal-stop 0 "$myalloc" profile -o "$tmp/d.heap" $pid stop
more
code signal-again 0 "$myalloc" profile -o "$tmp/e.folded" $pid dump
check signal-stopped "$(bytes_of "$tmp/e.folded" ';small_site')" -le 1000000
check signal-leaves-nothing "$(ls "$XDG_RUNTIME_DIR/myalloc" | grep -c heap)" -eq 0
end_sites
check signal-ends $? -eq 0
start_sites live:1,profile_bytes:1
"$myalloc" profile $pid start 2>"$tmp/err" &
allocate_while $!
check page-start $? -eq 0
says page-start "the profile of process $pid is on"
"$myalloc" profile -o "$tmp/f.folded" $pid dump &
allocate_while $!
check page-dump "$(bytes_of "$tmp/f.folded" ';small_site')" -ge 1000
end_sites
# The page of a process is PID.2 where one of another container has its number. Here it is a file
# that somebody holds.
cat >"$tmp/beside.sh" <<'END'
page=$XDG_RUNTIME_DIR/myalloc/$$
"$WRITER" new "$page" $$
(exec 8<>"$page" 7>"$HELD"; flock -x 8; echo >&7; exec sleep 1000 7>&- <&- >&- 2>&-) &
read -r line <"$HELD"
echo $! >"$HELD.pid"
exec "$@"
END
mkfifo "$tmp/held"
export WRITER=$tmp/page_writer HELD=$tmp/held
start_sites live:1,profile_bytes:1 sh "$tmp/beside.sh"
check page-2 -e "$XDG_RUNTIME_DIR/myalloc/$pid.2"
code page-2-heap 0 "$myalloc" heap $pid
"$myalloc" profile $pid start 2>"$tmp/err" &
allocate_while $!
check page-2-start $? -eq 0
"$myalloc" profile -o "$tmp/g.folded" $pid dump &
allocate_while $!
check page-2-dump "$(bytes_of "$tmp/g.folded" ';small_site')" -ge 1000
end_sites
kill "$(cat "$tmp/held.pid")"
rm -f "$XDG_RUNTIME_DIR/myalloc/$pid"
# purge: what is free goes back to the kernel, at once by the signal, else when it allocates next.
cat >"$tmp/fallen.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char *blocks[400000];
int main(void)
{
    char line[10];
    for (int i = 0; i < 400000; i++) {
        blocks[i] = memset(malloc(100), 1, 100);
    }
    for (int i = 0; i < 400000; i++) {
        free(blocks[i]);
    }
    puts("ready");
    fflush(stdout);
    while (read(0, line, sizeof line) > 0) {
        free(malloc(3000));
        puts("more");
        fflush(stdout);
    }
    return 0;
}
END
build -fno-builtin -o "$tmp/fallen" "$tmp/fallen.c"
cp "$tmp/sites" "$tmp/kept" && cat "$tmp/fallen" >"$tmp/sites"
resident_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }
start_sites purge:0,profile_signal:10
check purge-before "$(resident_kib)" -ge 40000
code purge-signal 0 "$myalloc" purge --json $pid
check purge-signal "$(resident_kib)" -le 16000
check purge-json "$(sed 's/[0-9][0-9]*/N/g' "$tmp/out")" = \
    '{"schema":N,"pid":N,"rss_before_bytes":N,"rss_bytes":N}'
check purge-true "$(sed 's/.*rss_bytes"://; s/}//' "$tmp/out")" -eq $(($(resident_kib) * 1024))
check purge-leaves-nothing "$(ls "$XDG_RUNTIME_DIR/myalloc" | grep -c purge)" -eq 0
end_sites
check purge-ends $? -eq 0
start_sites purge:0,live:1
"$myalloc" purge $pid >"$tmp/told" &
allocate_while $!
check purge-page $? -eq 0
check purge-page-resident "$(resident_kib)" -le 16000
check purge-tells \
    -n "$(grep -E '^sites \(pid [0-9]+\) gave back [0-9.]+ MiB: RSS was ' "$tmp/told")"
end_sites
cat "$tmp/kept" >"$tmp/sites"
code purge-deaf 1 "$myalloc" purge $$
says purge-deaf 'cannot be asked'
code purge-gone 1 "$myalloc" purge 99999999
code purge-word 2 "$myalloc" purge many
# Of who has ended, but is not buried, no answer is waited for: its parent looks at no child.
LD_PRELOAD=$library MYALLOC_CONF=live:1 \
    sh -c 'sleep 100 & echo $!; exec env -u LD_PRELOAD sleep 100' >"$tmp/out" &
parent=$!
until [ -s "$tmp/out" ] && [ -e "$XDG_RUNTIME_DIR/myalloc/$(cat "$tmp/out")" ]; do sleep 0.05; done
pid=$(cat "$tmp/out")
kill -9 $pid
until grep -q '^State:.Z' /proc/$pid/status; do sleep 0.05; done
code ask-zombie 1 "$myalloc" profile $pid start
says ask-zombie 'has ended'
kill $parent
rm -f "$XDG_RUNTIME_DIR/myalloc"/*
# A signal is sent to nobody who does not catch it.
MYALLOC_CONF=profile_signal:10 sleep 100 &
pid=$!
code signal-uncaught 1 "$myalloc" profile $pid start
check signal-uncaught-lives "$(kill -0 $pid && echo yes)" = yes
kill $pid
