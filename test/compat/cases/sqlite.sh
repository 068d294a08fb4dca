# sqlite.sh - sqlite3: tables in memory, sorts, json
# needs: sqlite3
# packages: sqlite3
# serves: sqlite3
# quick: yes
run sqlite3 :memory: "PRAGMA temp_store=2;
    CREATE TABLE t AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<300000)
        SELECT x, hex(x * 7919 % 100003) AS h FROM c;
    CREATE INDEX i ON t(h);
    SELECT count(*), sum(length(h)), count(DISTINCT h) FROM t;
    SELECT length(group_concat(h)) FROM (SELECT h FROM t ORDER BY h DESC);
    DELETE FROM t WHERE x % 3; VACUUM; SELECT count(*) FROM t; PRAGMA integrity_check;"
