# postgresql.sh - postgresql with pgbench, as its own user
# needs: /usr/lib/postgresql/15/bin/initdb /usr/lib/postgresql/15/bin/pgbench
# packages: postgresql-15
# serves: postgres psql pgbench initdb
# timeout: 120
bin=/usr/lib/postgresql/15/bin
mkdir data socket && chmod 777 data socket
[ "$(id -u)" -ne 0 ] || chown postgres data
change_user postgres
export PGHOST=$PWD/socket PGPORT=$PORT PGDATABASE=postgres PGUSER=postgres
run "${as[@]}" $bin/initdb -D data -U postgres -A trust --no-sync >initdb.log
settings=(-c listen_addresses= -c "unix_socket_directories=$PWD/socket" -c fsync=off -p "$PORT")
serve "${as[@]}" $bin/postgres -D data "${settings[@]}"
until_true $bin/pg_isready
run $bin/pgbench -q -i -s 1 2>/dev/null
run $bin/pgbench -n -c 4 -j 2 -t 100 2>/dev/null | grep -E 'actually|failed'
run $bin/psql -At -c 'select count(*), sum(abalance) = (select sum(delta) from pgbench_history)
    from pgbench_accounts' -c 'create table t as select i, repeat(md5(i::text), i % 20) as s
    from generate_series(1, 50000) i' -c 'create index on t (s)' -c 'select sum(length(s)) from t' \
    -c "select count(*) from (select s, array_agg(i) from t group by s order by s) x"
kill -INT "$server"
wait "$server" && echo "ended well"
trap - EXIT
