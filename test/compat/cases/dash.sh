# dash.sh - dash: a small shell with an allocator of its own above malloc
# needs: dash
# packages: dash
# serves: dash
# quick: yes
run dash -c 'i=0; t=; while [ $i -lt 3000 ]; do i=$((i + 1)); t="$t$i"; done; echo ${#t}
    for f in 1 2 3 4 5; do (echo $f; : | cat); done; echo $(echo sub $(echo shell))'
