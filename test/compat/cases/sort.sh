# sort.sh - sort with a small buffer, merges and threads; uniq, join, comm
# needs: sort
# packages: coreutils
# serves: sort uniq comm
# quick: yes
words 200000 >text
run sort -S 1M --parallel=2 text | digest
run sort -k2n -k1 -S 50M text | run uniq -f1 -c | digest
run sort -u text >a
run comm -12 a a | run wc -l
