# h31_chained_signals.sh - with guard:N, SIGSEGV and SIGBUS do what they do without: whoever sent
# them, whatever handler there was before us.
. test/support/tap.sh
program=$TEST_PROGRAMS/hazards/programs/chained

# How it ends, and what it says before.
outcome() {
    "$@" 2>&1
    echo "status $?"
}

same() {
    equal "$(outcome env LD_PRELOAD="$LIB" MYALLOC_CONF=guard:1000 "$program" "$@")" \
        "$(outcome "$program" "$@")"
}

all_sources() {
    local source signal
    for signal in 11 7; do
        for source in raise kill sigqueue fault code-6 code-60 code1 code2 code5 code128; do
            same "$1" $source $signal || { echo "$1 $source $signal" && return 1; }
        done
    done
}

if [ -z "${LIB-}" ]; then
    echo "ok - glibc has no such option"
    exit 0
fi
ulimit -c 0
claim "a signal ends the program" grep -q '^status 139$' <(outcome "$program" none raise 11)
for handler in none ignored plain info info-nodefer info-once info-once-nodefer info-mask \
    info-stack plain-stack-mask-once; do
    claim "$handler: as without the library" all_sources $handler
done
finish
