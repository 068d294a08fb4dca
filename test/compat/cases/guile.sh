# guile.sh - guile: a conservative collector of its own above malloc
# needs: guile
# packages: guile-3.0
# serves: guile
GUILE_AUTO_COMPILE=0 run guile -c '
    (define (build n) (let loop ((i 0) (l (list)))
        (if (= i n) l (loop (+ i 1) (cons (make-string (modulo i 50) #\x) l)))))
    (display (apply + (map string-length (build 200000)))) (newline)
    (let loop ((i 0)) (if (< i 20) (begin (build 20000) (gc) (loop (+ i 1)))))
    (display (modulo (expt 7 5000) 1000003)) (newline)'
