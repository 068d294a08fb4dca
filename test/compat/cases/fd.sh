# fd.sh - fd, in rust, which brings jemalloc: the preload must not disturb it
# needs: fdfind
# packages: fd-find
# own: fdfind
# quick: yes
mkdir -p tree/a/b/c && for ((i = 0; i < 300; i++)); do : >"tree/a/b/file$i"; done
run fdfind . tree | sort | digest
run fdfind -e 7 . tree; run fdfind 'file.*7$' tree | wc -l
