# zstd.sh - zstd with threads, long windows and a dictionary
# needs: zstd
# packages: zstd
# serves: zstd
words 200000 >text
run zstd -q -T2 -19 --long=24 text -o t.zst && run zstd -q -d --long=24 t.zst -c | digest
mkdir parts && split -l 300 text parts/p && run zstd -q --train parts/* -o dict --maxdict=20000
run zstd -q -D dict parts/paa -o p.zst && run zstd -q -D dict -d p.zst -c | digest
