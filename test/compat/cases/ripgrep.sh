# ripgrep.sh - ripgrep, in rust: threads search a tree
# needs: rg
# packages: ripgrep
# serves: rg
# quick: yes
mkdir tree
for ((i = 0; i < 40; i++)); do words $((i * 20)) >tree/$i; done
run rg -c 'ab[0-9]* ?' tree | sort | digest
run rg --sort path -o '\w+ 9\d+' tree | digest
