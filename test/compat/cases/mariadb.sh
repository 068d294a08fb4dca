# mariadb.sh - mariadb: C++ with many threads; tables, joins, concurrent clients
# needs: mariadbd mariadb-install-db mariadb mariadb-slap
# packages: mariadb-server mariadb-client
# serves: mariadbd mariadb mariadb-slap
# timeout: 120
mariadb-install-db --no-defaults --datadir="$PWD/data" --user=root \
    --auth-root-authentication-method=normal --skip-test-db >install.log 2>&1
serve mariadbd --no-defaults --datadir="$PWD/data" --user=root --socket="$PWD/socket" \
    --skip-networking --innodb-buffer-pool-size=16M --innodb-flush-log-at-trx-commit=0
client=(--no-defaults --socket="$PWD/socket" --user=root)
until_true mariadb "${client[@]}" -e 'select 1'
run mariadb "${client[@]}" -N -e "create database d; use d;
    create table t (i int primary key, s varchar(500), key (s)) as
        select seq as i, repeat(md5(seq), seq % 10) as s from seq_1_to_20000;
    select count(*), sum(length(s)) from t;
    select count(*) from (select s, group_concat(i) from t group by s) x;"
run mariadb-slap "${client[@]}" --concurrency=8 --iterations=1 --number-of-queries=800 \
    --create-schema=d --query='select sum(length(s)) from d.t where i % 7 = 3' >slap.log
run mariadb-admin "${client[@]}" shutdown
wait "$server" && echo "ended well"
