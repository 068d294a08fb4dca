# z3.sh - z3: a solver with an allocator of its own above malloc
# needs: z3
# packages: z3
# serves: z3
{
    for ((i = 0; i < 14; i++)); do
        echo "(declare-const x$i Int) (assert (and (> x$i 0) (< x$i 15)))"
    done
    echo "(assert (distinct $(for ((i = 0; i < 14; i++)); do printf 'x%d ' $i; done)))"
    echo '(check-sat) (declare-const b (_ BitVec 24)) (assert (= (bvmul b b) #x000451)) (check-sat)'
} >in.smt2
run z3 in.smt2
