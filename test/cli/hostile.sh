# Hostile live pages, ELF files and trees: an answer or a sentence, never a crash; sourced by run.sh.
victim=$myalloc
if [ -z "$NO_ASAN" ]; then
    victim=$tmp/myalloc-asan
    build -Isrc -g -fsanitize=address,undefined -fno-sanitize-recover=all -o "$victim" src/cli/*.c
fi
export ASAN_OPTIONS=detect_leaks=0:exitcode=99
# survives NAME CMD...: exit 0 or 1, anything else is a crash or a finding of the sanitizer.
survives() {
    name=$1; shift
    "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    got=$?
    if [ $got -le 1 ]; then ok; else fail "$name: exit $got"; head -5 "$tmp/err"; fi
}
read_page() {
    survives "$1 heap" fake "$victim" heap --svg "$tmp/h.html" 4242
    survives "$1 top" fake "$victim" top --json -n 1
    survives "$1 maps" fake "$victim" maps --explain 4242
    survives "$1 watch" fake "$victim" watch -n 1 --timeline "$tmp/w.html" 4242
}
for bytes in 0 1 7 8 63 255 256 257 511 512 4095 4096 20000 65536 100000 135000; do
    "$tmp/page_writer" cut "$page" 4242 $bytes
    survives "cut $bytes" fake "$victim" heap 4242
    if grep -q -e truncated -e 'no live page' "$tmp/out"; then ok; else fail "cut $bytes: no sentence"; fi
done
for seed in $(seq 1 25); do
    "$tmp/page_writer" random "$page" 4242 "$seed"
    read_page "random $seed"
    "$tmp/page_writer" flip "$page" 4242 "$seed"
    read_page "flip $seed"
done
rm -f "$page"; mkdir "$page"
survives 'page is a directory' fake "$victim" heap 4242
rmdir "$page"; mkfifo "$page"
survives 'page is a pipe' fake "$victim" heap 4242
rm -f "$page"; ln -s /etc/passwd "$page"
survives 'page is a link' fake "$victim" heap 4242
rm -f "$page"

for bytes in 0 3 4 5 63 64 65 100 500 1000 2000 4000 8000 12000; do
    head -c $bytes "$tmp/dynamic" >"$tmp/cut"
    chmod +x "$tmp/cut"
    survives "elf cut $bytes" "$victim" check "$tmp/cut"
done
for at in 16 18 32 40 54 56 60 62 80 96 104 600 700; do
    cp "$tmp/dynamic" "$tmp/spoilt"
    printf '\377\377\377\377' | dd of="$tmp/spoilt" bs=1 seek=$at conv=notrunc 2>/dev/null
    survives "elf spoilt $at" "$victim" check "$tmp/spoilt"
done
for file in smaps maps stat statm status; do
    cp "$tmp/tree/proc/4242/$file" "$tmp/keep"
    head -c 3000 "$tmp/dynamic" >"$tmp/tree/proc/4242/$file"
    survives "garbage in $file" fake "$victim" maps 4242
    survives "garbage in $file, watch" fake "$victim" watch -n 1 4242
    : >"$tmp/tree/proc/4242/$file"
    survives "empty $file" fake "$victim" maps 4242
    cp "$tmp/keep" "$tmp/tree/proc/4242/$file"
done
