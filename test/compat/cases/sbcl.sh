# sbcl.sh - sbcl: a lisp with mappings at fixed addresses
# needs: sbcl
# packages: sbcl
# serves: sbcl
run sbcl --noinform --non-interactive --no-userinit --eval \
    '(progn (print (loop for i below 300000 sum (length (make-string (mod i 50))))) (gc :full t)
            (print (mod (expt 7 5000) 1000003)) (terpri))'
