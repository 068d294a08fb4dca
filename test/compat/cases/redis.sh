# redis.sh - redis under load; its memory falls after FLUSHALL
# needs: redis-server redis-benchmark redis-cli
# packages: redis-server redis-tools
# serves: redis-server
# timeout: 90
cli=(redis-cli -s ./socket)
serve redis-server --port 0 --unixsocket ./socket --save '' --appendonly no --activedefrag no
until_true "${cli[@]}" ping
redis-benchmark -s ./socket -q -n 200000 -P 16 -r 100000 -d 200 \
    -t set,get,lpush,hset,zadd >load.log 2>&1
"${cli[@]}" eval "for i = 1, 100000 do redis.call('set', 'key' .. i, string.rep('v', i % 900)) end
    return redis.call('strlen', 'key777')" 0
before=$(rss_kb "$server")
"${cli[@]}" flushall
"${cli[@]}" dbsize
after=$before
for ((i = 0; i < 50 && after > before * 6 / 10; i++)); do
    sleep 0.1
    "${cli[@]}" ping >/dev/null
    after=$(rss_kb "$server")
done
note "RSS $((before / 1024)) MB, after FLUSHALL $((after / 1024)) MB"
((after <= before * 6 / 10)) && echo "memory fell" || echo "memory stayed"
"${cli[@]}" set k v
"${cli[@]}" shutdown nosave
wait "$server" && echo "ended well"
