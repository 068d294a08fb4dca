# case.sh CASE - runs one case of the compat matrix: the helpers below, then CASE, which prints
# what must be the same under every allocator. The runner gives the environment: an empty
# directory, which is also HOME; PRELOAD, the allocator and the probe; ALLOCATOR and PROBE alone;
# PORT, a free port; NOTES, a file for remarks.
set -euo pipefail

# run COMMAND... - the command, and what it starts, under the allocator.
run() {
    LD_PRELOAD=$PRELOAD "$@"
}

# serve COMMAND... - a server in the background under the allocator, its pid in $server; it is
# stopped when the case ends.
serve() {
    LD_PRELOAD=$PRELOAD "$@" >server.log 2>&1 &
    server=$!
    trap 'stop "$server"' EXIT
}

# until_true COMMAND... - repeats the command until it succeeds, for 20 seconds.
until_true() {
    local i
    for ((i = 0; i < 200; i++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "gave up waiting for: $*"
    tail -n 5 server.log >&2 || true
    return 1
}

stop() {
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# stops_well PID - ends a server and tells how it ended; one that ends by SIGTERM itself says 143.
stops_well() {
    local status=0
    kill "$1"
    wait "$1" || status=$?
    trap - EXIT
    echo "server ended with $status"
}

rss_kb() {
    awk '/^VmRSS:/ { print $2 }' "/proc/$1/status"
}

# note TEXT - shown beside the result, not compared.
note() {
    echo "$*" >>"$NOTES"
}

# change_user USER - sets $as, the words that run a command as USER where that is possible.
change_user() {
    as=()
    [ "$(id -u)" -ne 0 ] || as=(setpriv --reuid="$1" --regid="$1" --init-groups)
}

# words COUNT - lines of words, the same every time.
words() {
    awk -v count="$1" 'BEGIN {
        for (i = 0; i < count; i++) {
            seed = (seed * 69069 + 12345) % 4294967296
            line = ""
            for (rest = int(seed / 65536); rest > 0; rest = int(rest / 26)) {
                line = line sprintf("%c", 97 + rest % 26)
            }
            print line, seed % 1000
        }
    }'
}

# A digest stands for output that is long.
digest() {
    sha256sum | cut -c 1-16
}

. "$1"
