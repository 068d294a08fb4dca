# emacs.sh - emacs: a dumped heap, its own garbage collector
# needs: emacs
# packages: emacs-nox
# serves: emacs
run emacs --batch -Q --eval '(progn
    (let ((n 0))
        (dotimes (i 100000) (setq n (+ n (length (make-string (mod i 50) ?x)))))
        (princ n) (terpri))
    (garbage-collect)
    (with-temp-buffer (dotimes (i 20000) (insert (format "line %d\n" i)))
        (goto-char (point-min))
        (princ (count-matches "7$")) (terpri)))'
