# h8_limits.sh - a short, refused or oddly placed break: the program must not notice.
. test/support/tap.sh
threads=$TEST_PROGRAMS/hazards/programs/threads
everything=$TEST_PROGRAMS/hazards/programs/all_functions
loader=$(readelf -l /bin/true | sed -n 's/.*interpreter: \(.*\)]/\1/p')

# limited OPTIONS COMMAND... - the command under a limit of ulimit, and with a silent stderr.
limited() {
    local option=$1 value=$2
    shift 2
    equal "$( (ulimit "$option" "$value" && under "$@") 2>&1 && echo done)" done
}

claim "8 MiB of data segment" limited -d 8192 "$everything" 200000
claim "no data segment to speak of" limited -d 1024 /bin/true
claim "64 MiB of address space" limited -v 65536 "$everything"
claim "16 MiB of address space" limited -v 16384 /bin/true
claim "started by the loader" limited -c 0 "$loader" "$everything"
claim "without address randomization" limited -c 0 setarch -R "$everything"
claim "started by the loader without address randomization" \
    limited -c 0 setarch -R "$loader" "$everything"
claim "threads in 64 MiB of address space" limited -v 65536 "$threads"
finish
