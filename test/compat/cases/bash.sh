# bash.sh - bash: arrays, strings, subshells, and that it starts in 64 MB of address space
# needs: bash
# packages: bash
# serves: bash
# quick: yes
cat >script <<'SOURCE'
declare -A table
for ((i = 0; i < 20000; i++)); do table[k$((i % 503))]+=x$i; done
n=0
for key in "${!table[@]}"; do n=$((n + ${#table[$key]})); done
echo "${#table[@]} $n"
for ((i = 0; i < 30; i++)); do text+=$(echo "$i" | tr 0-9 a-j); done
echo "$text"
SOURCE
run bash script
(ulimit -v 65536 && run bash -c 'echo started')
