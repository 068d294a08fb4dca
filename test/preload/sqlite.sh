# sqlite.sh - sqlite3: a large sort in memory, joins, an index, a database on disk.
. test/support/scene.sh
programs=(sqlite3)
children=()

scene() {
    sqlite3 :memory: "PRAGMA temp_store=2;
        WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 200000)
        SELECT count(*), sum(length(h)), min(h)
            FROM (SELECT hex(x * 7919 % 200003) h FROM c ORDER BY h);"
    sqlite3 data.db "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, size INT);
        WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 50000)
        INSERT INTO t SELECT x, printf('name-%08d', x * 31 % 50021), x % 977 FROM c;
        CREATE INDEX i ON t(name);
        SELECT size, count(*), group_concat(name) FROM t WHERE size < 5 GROUP BY size;
        DELETE FROM t WHERE id % 3 = 0;
        VACUUM;
        PRAGMA integrity_check;
        SELECT count(*), sum(size) FROM t a JOIN t b USING (id);"
    sqlite3 data.db .dump | sha256sum
}
compare_scene
