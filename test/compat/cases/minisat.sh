# minisat.sh - minisat: arrays that grow by realloc; pigeons that do not fit
# needs: minisat
# packages: minisat
# serves: minisat
awk 'BEGIN { p = 8; h = 7; print "p cnf", p * h, p + h * p * (p - 1) / 2
    for (i = 0; i < p; i++) { for (j = 1; j <= h; j++) printf "%d ", i * h + j; print 0 }
    for (j = 1; j <= h; j++) for (i = 0; i < p; i++) for (k = i + 1; k < p; k++)
        print -(i * h + j), -(k * h + j), 0 }' >in.cnf
run minisat in.cnf >log || echo "status $?"
tail -1 log
