# manual.sh - each example in the manuals, as it stands there: programs are compiled by the lines
# under them and run; commands run, with the files that they name at hand.
. test/support/tap.sh
. test/support/build.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/usr
built install PREFIX="$prefix"
version=$(sed -n 's/^#define MYALLOC_VERSION "\(.*\)"/\1/p' include/myalloc.h)

# as_shown PAGE - the text of a page, as roff means it, one line a line; paths are ours.
as_shown() {
    sed -e 's/\\e/\\/g; s/\\-/-/g; s/\\&//g' -e "s|/usr/local|$prefix|g" "$1"
}

# Programs of libmyalloc(3): program-N.c is the text, program-N.sh the lines `$ cc` under it.
as_shown src/man/libmyalloc.3 | awk -v name="$work/program" '
    /^\.Bd -literal/ { text = ""; inside = 1; next }
    /^\.Ed/ { inside = 0; if (text ~ /int main\(/) printf "%s", text >(name "-" ++count ".c") }
    inside { text = text $0 "\n" }
    !inside && /^\.Dl \$ cc program\.c / { sub(/^\.Dl \$ /, ""); print >(name "-" count ".sh") }'

# program NUMBER COMMAND - what it prints, compiled by the command.
program() {
    cp "$work/program-$1.c" "$work/program.c" &&
        (cd "$work" && eval "${2:-cc program.c}" && ./a.out)
}
claim "libmyalloc(3) has three programs" equal "$(cd "$work" && echo program-*.c)" \
    "program-1.c program-2.c program-3.c"
claim "and two lines that compile the first one" equal "$(wc -l <"$work/program-1.sh")" 2
while read -r line; do
    claim "program 1 tells its numbers: $line" \
        grep -Eqx "version $version, live [0-9]+, break [0-9]+" <(program 1 "$line")
done <"$work/program-1.sh"
claim "program 2 runs without the library" equal "$(program 2)" "purged 0"
claim "program 2 runs with it" equal \
    "$(LD_PRELOAD=$prefix/lib/libmyalloc.so "$work/a.out")" "purged 1"
claim "program 3 answers" equal "$(program 3 "$(head -n 1 "$work/program-1.sh")" | tr '\n' ' ')" \
    "answer 1 answer 2 answer 3 "

# Commands. What they name: a process under the library, a program, a script, a file, a target.
cd "$work" || exit
seq 20000 >big.txt
echo 'print(sum(range(1000)))' >script.py
printf 'all:\n\t@echo made\n' >Makefile
cp a.out prog
cp a.out redis-server
cp "$prefix/lib/libmyalloc.so" .
PATH=$prefix/bin:$work:$PATH
sleep_under() {
    MYALLOC_CONF=live:1,profile_signal:12 LD_PRELOAD=$prefix/lib/libmyalloc.so \
        perl -e '$x[$_] = "x" x $_ for 1 .. 500; $| = 1; print "ready\n"; sleep 9 while 1' >ready &
    process=$!
    until [ -s ready ]; do sleep 0.1; done
}
sleep_under
trap 'kill $process; rm -rf "$work"' EXIT

# Warnings about this system are what doctor is for.
runs() {
    bash -c "${1//4242/$process}" <&- || [[ $1 == 'myalloc doctor' && $? -eq 1 ]]
}
count=0
for page in myalloc.1 myalloc.7 libmyalloc.3 myalloc-replay.1 myalloc-trace.1; do
    while IFS= read -r command; do
        claim "$page: $command" runs "$command"
        count=$((count + 1))
    done < <(as_shown "$OLDPWD/src/man/$page" | sed -n 's/^\.Dl \$ //p' | grep -v '^cc ' |
        sed 's|\./program|./prog|')
done
claim "there are commands to run" [ $count -gt 15 ]
refused "a command that fails would be seen" runs "myalloc heap 1"
finish
