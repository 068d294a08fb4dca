#!/bin/bash
# recipes.sh [NAME...] - runs the recipes of src/doc/recipes.md, as they stand there, under glibc's
# malloc and under the library: the answer of each program must be the same, and its resident memory
# is printed. A program that is not installed is named and left out. `make check-recipes` runs it,
# for once a week; ALL=1 makes a program that is missing a failure.
set -u
cd "$(dirname "$0")/.." || exit 1
library=$PWD/build/libmyalloc.so
work=$(mktemp -d)
chmod 755 "$work"
leave() {
    kill $(jobs -p) 2>/dev/null
    wait
    umount "$work/tree/proc" 2>/dev/null
    rm -rf --one-file-system "$work"
}
trap leave EXIT

# resident PID... - of all of them: what is resident now, and what was at most.
resident() {
    local pid sum=0 peak=0 kib
    for pid; do
        kib=$(awk '$1 == "Rss:" { print $2 }' "/proc/$pid/smaps_rollup") && sum=$((sum + kib))
        kib=$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$pid/status") && peak=$((peak + kib))
    done
    echo "$sum, peak $peak"
}

# maps PID - fails unless the process has what the recipe promised: the library, or not.
maps() {
    local count
    count=$(grep -c /libmyalloc.so "/proc/$1/maps")
    [ "$((count > 0))" = "$([ -n "${LD_PRELOAD-}" ] && echo 1 || echo 0)" ] ||
        echo "process $1: the library is not where it should be"
}

# Each recipe prints its answer, and last a line `KiB NUMBER, peak NUMBER`.
ruby_() {
    needs ruby
    ruby -e 'a = (1..300_000).map { |i| "key #{i} " * 3 }
        a = a.select.with_index { |_, i| i % 9 == 0 }
        GC.start; puts a.size
        puts "KiB " + File.read("/proc/self/smaps_rollup")[/^Rss: +(\d+)/, 1] +
            ", peak " + File.read("/proc/self/status")[/^VmHWM:\s+(\d+)/, 1]'
}
python() {
    needs python3
    PYTHONMALLOC=malloc /usr/bin/python3 -c '
import re
table = {i: "value %d" % i * 3 for i in range(300000)}
for i in list(table):
    if i % 9:
        del table[i]
print(len(table))
print("KiB", re.search(r"^Rss: +(\d+)", open("/proc/self/smaps_rollup").read(), re.M)[1] +
    ", peak " + re.search(r"^VmHWM:\s+(\d+)", open("/proc/self/status").read(), re.M)[1])'
}
redis() {
    needs redis-server
    local socket=$work/redis.sock pid
    redis-server --port 0 --unixsocket "$socket" --save '' --dir "$work" \
        >/dev/null 2>&1 &
    pid=$!
    until redis-cli -s "$socket" ping 2>/dev/null | grep -q PONG; do sleep 0.1; done
    redis-cli -s "$socket" eval 'for i = 1, 200000 do redis.call("set", "key" .. i,
        string.rep("x", i % 300)) end for i = 1, 200000 do if i % 9 > 0 then
        redis.call("del", "key" .. i) end end return redis.call("dbsize")' 0
    maps $pid
    echo "KiB $(resident $pid)"
    kill $pid && wait $pid
}
nginx_() {
    needs nginx
    mkdir -p "$work/nginx/logs" "$work/nginx/html" && echo served >"$work/nginx/html/index.html"
    cat >"$work/nginx/nginx.conf" <<END
daemon off; pid $work/nginx/pid; error_log $work/nginx/logs/error.log; worker_processes 1;
events { worker_connections 64; }
http { access_log off; server { listen unix:$work/nginx/socket; root $work/nginx/html; } }
END
    nginx -p "$work/nginx" -c "$work/nginx/nginx.conf" 2>/dev/null &
    local pid=$! worker
    until [ -S "$work/nginx/socket" ] && worker=$(pgrep -P $pid); do sleep 0.1; done
    perl -MIO::Socket::UNIX -e 'for (1 .. 300) {
        my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die;
        print $s "GET / HTTP/1.0\r\n\r\n"; $answer = join "", <$s> }
        print $answer =~ /(served)/, "\n"' \
        "$work/nginx/socket"
    maps "$worker"
    echo "KiB $(resident "$pid" "$worker")"
    kill $pid && wait $pid
    rm -rf "$work/nginx"
}
postgresql() {
    local bin user=()
    bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
    needs "${bin:-/none}/postgres"
    [ "$(id -u)" -ne 0 ] || user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    mkdir "$work/pg" && { [ "$(id -u)" -ne 0 ] || chown 65534 "$work/pg"; }
    "${user[@]}" env -u LD_PRELOAD "$bin/initdb" -D "$work/pg/data" -A trust -U me >/dev/null 2>&1
    "${user[@]}" "$bin/postgres" -D "$work/pg/data" -k "$work/pg" -h '' >/dev/null 2>&1 &
    local pid=$! backend
    until "$bin/pg_isready" -q -h "$work/pg"; do sleep 0.2; done
    coproc "$bin/psql" -h "$work/pg" -U me -qAt postgres
    echo 'select count(*) from (select g % 977 a, string_agg(md5(g::text), $$ $$) from
        generate_series(1, 200000) g group by 1) t; select pg_backend_pid();' >&"${COPROC[1]}"
    read -r -u "${COPROC[0]}" answer
    read -r -u "${COPROC[0]}" backend
    echo "$answer"
    maps "$backend"
    echo "KiB $(resident "$backend")"
    exec {COPROC[1]}>&-
    kill -INT $pid && wait $pid
    rm -rf "$work/pg"
}
# In a tree of its own, never in this system: see the dangers in recipes.md.
ld_so_preload() {
    [ "$(id -u)" -eq 0 ] || needs root
    local tree=$work/tree file
    mkdir -p "$tree/etc" "$tree/usr/local/lib"
    for file in /bin/sh /usr/bin/sort /usr/bin/awk /bin/cat /bin/grep; do
        copy_program "$file" "$tree"
    done
    mkdir -p "$tree/proc" && mount -t proc proc "$tree/proc" || needs "mount of /proc"
    cp "$library" "$tree/usr/local/lib/libmyalloc.so"
    [ -z "${LD_PRELOAD-}" ] || echo /usr/local/lib/libmyalloc.so >"$tree/etc/ld.so.preload"
    env -u LD_PRELOAD chroot "$tree" /bin/sh -c '
        awk "BEGIN { for (i = 0; i < 100000; i++) print i % 777 }" |
            sort -n | awk "{ s[\$1]++ } END { print length(s) }"
        echo "KiB $(awk "\$1 == \"Rss:\" { print \$2 }" /proc/self/smaps_rollup), peak $(
            awk "\$1 == \"VmHWM:\" { print \$2 }" /proc/self/status)"
        grep -c "/libmyalloc.so" /proc/self/maps >/loaded'
    local loaded
    loaded=$(cat "$tree/loaded")
    [ "$((loaded > 0))" = "$([ -n "${LD_PRELOAD-}" ] && echo 1 || echo 0)" ] ||
        echo "the library is not where it should be"
    umount "$tree/proc"
    rm -rf --one-file-system "$tree"
}
copy_program() {
    local part
    for part in "$1" $(env -u LD_PRELOAD ldd "$1" | grep -o '/[^ ]*'); do
        mkdir -p "$2${part%/*}" && cp -nL "$part" "$2$part"
    done
}
# `systemctl edit` writes such a drop-in; systemd reads it with its unit and says what is wrong.
# Where the system was booted by systemd, it also runs a service with it.
systemd() {
    needs systemd-analyze
    local unit=$work/recipe.service
    mkdir -p "$unit.d"
    printf '[Service]\nType=oneshot\nExecStart=/bin/true\n' >"$unit"
    printf '[Service]\nEnvironment=LD_PRELOAD=%s\n' "$library" >"$unit.d/override.conf"
    env -u LD_PRELOAD systemd-analyze verify --man=no "$unit" 2>&1 | grep recipe
    if [ -d /run/systemd/system ] && [ "$(id -u)" -eq 0 ]; then
        env -u LD_PRELOAD systemd-run -q --pipe --wait \
            ${LD_PRELOAD:+-p Environment="LD_PRELOAD=$library"} \
            sh -c 'grep -c /libmyalloc.so /proc/self/maps' >"$work/loaded"
        [ "$(($(cat "$work/loaded") > 0))" = "${LD_PRELOAD:+1}" ] || [ -z "${LD_PRELOAD-}" ] ||
            echo "the service runs without the library"
    fi
    echo "KiB not measured"
}

needs() {
    command -v "$1" >/dev/null && return
    echo "missing $1"
    exit 0
}

[ -e "$library" ] || { echo "recipes.sh: make first" >&2 && exit 1; }
[ $# -gt 0 ] || set -- ruby_ python redis nginx_ postgresql ld_so_preload systemd
failed=0 passed=0
for name; do
    plain=$(unset LD_PRELOAD && $name)
    if [[ $plain == missing* ]]; then
        echo "${name%_}: left out: $plain"
        failed=$((failed + ${ALL:-0}))
        continue
    fi
    served=$(export LD_PRELOAD=$library && $name)
    if [ "${plain%KiB *}" = "${served%KiB *}" ] && [[ $plain == *KiB* ]]; then
        passed=$((passed + 1))
        echo "${name%_}: same answer; resident KiB: glibc ${plain##*KiB }, myalloc ${served##*KiB }"
    else
        failed=$((failed + 1))
        printf '%s differs\nglibc:   %s\nmyalloc: %s\n' "${name%_}" "$plain" "$served"
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
