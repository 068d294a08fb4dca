# coreutils.sh - ls, find, grep, sed, diff, cut, tr, od over a tree
# needs: find grep sed diff
# packages: coreutils findutils grep sed diffutils
# serves: ls find grep sed diff od
# quick: yes
mkdir tree && for ((i = 0; i < 50; i++)); do words $((i * 20)) >tree/$i; done
run ls -lR --time-style=+ tree | tr -s ' ' | cut -d ' ' -f 1,5- | digest
run find tree -type f -exec grep -c a {} + | sort | digest
run sed -E 's/([a-z]+) ([0-9]+)/\2 \1/' tree/49 >swapped
{ run diff tree/49 swapped || true; } | digest
run od -An -tx1 tree/40 | digest
