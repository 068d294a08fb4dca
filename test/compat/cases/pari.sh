# pari.sh - pari/gp: numbers on a stack of its own
# needs: gp
# packages: pari-gp
# serves: gp
run gp -q -f <<<'print(factor(2^101-1)); print(#vector(100000, i, i^2)); print(bernfrac(60))'
