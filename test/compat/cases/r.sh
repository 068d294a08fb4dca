# r.sh - R: vectors large and small, linear algebra
# needs: Rscript
# packages: r-base-core
# serves: R
run R --vanilla -q -s -e 'set.seed(1); x <- replicate(500, rnorm(1000), simplify=FALSE)
    cat(length(sort(unlist(x))), "\n"); m <- matrix(rnorm(40000), 200)
    cat(dim(solve(m)), round(sum(abs(m %*% solve(m) - diag(200))), 6), "\n"); gc(); invisible()'
