# Hostile live pages, ELF files and trees: an answer or a sentence, no crash; sourced by run.sh.
victim=$myalloc
if [ -z "$NO_ASAN" ]; then
    victim=$tmp/myalloc-asan
    build -Isrc -g -fsanitize=address,undefined -fno-sanitize-recover=all -o "$victim" \
        src/cli/*.c src/cli/*/*.c
fi
export ASAN_OPTIONS=detect_leaks=0:exitcode=99
# survives NAME CMD...: exit 0 or 1, anything else is a crash or a finding of the sanitizer.
survives() {
    name=$1; shift
    env "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    got=$?
    if [ $got -le 1 ]; then ok "$name"; else fail "$name: exit $got" "$tmp/err"; fi
}
# A reader that does not end is as bad as one that crashes.
fake_in_time() { survives "$1" MYALLOC_PROC_ROOT="$tmp/tree" timeout 10 "$victim" "$2" $3 4242; }
read_page() {
    fake_in_time "$1 heap" heap "--svg $tmp/h.html"
    survives "$1 top" MYALLOC_PROC_ROOT="$tmp/tree" timeout 10 "$victim" top --json -n 1
    fake_in_time "$1 maps" maps "--explain --svg $tmp/m.html"
    fake_in_time "$1 watch" watch "-n 1 --timeline $tmp/w.html"
}
for bytes in 0 1 7 8 63 255 256 257 511 512 4095 4096 20000 65536 100000 135000; do
    "$tmp/page_writer" cut "$page" 4242 $bytes
    survives "cut $bytes" MYALLOC_PROC_ROOT="$tmp/tree" timeout 10 "$victim" heap 4242
    check "cut $bytes, sentence" -n "$(grep -e truncated -e 'wrote no live page' "$tmp/out")"
done
for seed in $(seq 1 20); do
    "$tmp/page_writer" random "$page" 4242 "$seed"
    read_page "random $seed"
    "$tmp/page_writer" flip "$page" 4242 "$seed"
    read_page "flip $seed"
done
rm -f "$page"; mkdir "$page"
survives 'page is a directory' MYALLOC_PROC_ROOT="$tmp/tree" timeout 10 "$victim" heap 4242
rmdir "$page"; mkfifo "$page"
survives 'page is a pipe' MYALLOC_PROC_ROOT="$tmp/tree" timeout 10 "$victim" heap 4242
rm -f "$page"; ln -s /etc/passwd "$page"
survives 'page is a link' MYALLOC_PROC_ROOT="$tmp/tree" timeout 10 "$victim" heap 4242
rm -f "$page"

for bytes in 0 3 4 5 63 64 65 100 500 1000 2000 4000 8000 12000; do
    head -c $bytes "$tmp/dynamic" >"$tmp/cut"
    chmod +x "$tmp/cut"
    survives "elf cut $bytes" timeout 10 "$victim" check "$tmp/cut"
done
for at in 16 18 32 40 54 56 60 62 80 96 104 600 700; do
    cp "$tmp/dynamic" "$tmp/spoilt"
    printf '\377\377\377\377' | dd of="$tmp/spoilt" bs=1 seek=$at conv=notrunc 2>/dev/null
    survives "elf spoilt $at" timeout 10 "$victim" check "$tmp/spoilt"
done
for text in 'exec $(' 'A=`' 'A="' '${' 'exec ${A' 'exec -a "' 'exec' 'exec -' 'A=$((' "A='" '='; do
    printf '#!/bin/sh\n%s' "$text" >"$tmp/odd_script"
    chmod +x "$tmp/odd_script"
    survives "script $text" timeout 10 "$victim" check "$tmp/odd_script"
done
for file in smaps maps stat statm status; do
    cp "$tmp/tree/proc/4242/$file" "$tmp/keep"
    head -c 3000 "$tmp/dynamic" >"$tmp/tree/proc/4242/$file"
    survives "garbage in $file" MYALLOC_PROC_ROOT="$tmp/tree" timeout 10 "$victim" maps 4242
    survives "garbage in $file, watch" MYALLOC_PROC_ROOT="$tmp/tree" \
        timeout 10 "$victim" watch -n 1 4242
    : >"$tmp/tree/proc/4242/$file"
    survives "empty $file" MYALLOC_PROC_ROOT="$tmp/tree" timeout 10 "$victim" maps 4242
    cp "$tmp/keep" "$tmp/tree/proc/4242/$file"
done
# What diff reads: cut, spoilt, nested without end, numbers beyond every type.
for bytes in 0 1 2 10 30 60 90 150 300; do
    head -c $bytes $here/diff/b.json >"$tmp/cut.json"
    survives "json cut $bytes" timeout 10 "$victim" diff -s $here/diff/a.json "$tmp/cut.json"
done
for text in '{"a":1e999,"b":-5,"c":12345678901234567890123}' '{"a":[[[[[[[[[[[[[[[[[[[[1' '{"a":"' \
    '{"a":[{},{"k":1},{"k":"x","v":2},[],[3]],"b":{}}' '{"a":1}}' '{,}' '{"a" 1}' '{"\' '[1]'; do
    printf '%s' "$text" >"$tmp/odd.json"
    survives "json $text" timeout 10 "$victim" diff -s $here/diff/a.json "$tmp/odd.json"
    survives "json $text, json" timeout 10 "$victim" diff --json "$tmp/odd.json" "$tmp/odd.json"
done
printf '600000-601000 r--p 00000000 08:01 7 /\377\376<&\n' >"$tmp/tree/proc/4242/smaps"
survives 'a path that is no text' MYALLOC_PROC_ROOT="$tmp/tree" timeout 10 "$victim" \
    maps --svg "$tmp/path.svg" 4242
check 'a path that is no text, picture' "$(grep -c '??&lt;&amp;' "$tmp/path.svg")" -gt 0
cp "$here/tree/proc/4242/smaps" "$tmp/tree/proc/4242/smaps"
build -Isrc -I$here -O2 -o "$tmp/torn_events" $here/torn_events.c $here/page_fill.c \
    src/cli/procfs/live_page.c src/cli/procfs/procfs.c src/cli/render/text.c src/cli/tool.c
code torn-events 0 "$tmp/torn_events" "$tmp/torn"
