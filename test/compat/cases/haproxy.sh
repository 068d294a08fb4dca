# haproxy.sh - haproxy before itself, pools of its own above malloc
# needs: haproxy wrk
# packages: haproxy wrk
# serves: haproxy
cat >haproxy.cfg <<CONFIG
global
    nbthread 2
    stats socket $PWD/stats
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend front
    bind 127.0.0.1:$PORT
    default_backend back
frontend inner
    bind unix@$PWD/inner
    http-request return status 200 content-type text/plain string "answer"
backend back
    server one unix@$PWD/inner
CONFIG
serve haproxy -f haproxy.cfg
until_true bash -c "</dev/tcp/127.0.0.1/$PORT"
wrk -t1 -c10 -d1s "http://127.0.0.1:$PORT/" >wrk.log
grep -E 'Socket errors|Non-2xx' wrk.log || echo "no errors"
stops_well "$server"
