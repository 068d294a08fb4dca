# swipl.sh - swi-prolog, which Debian links with an allocator of its own choice
# needs: swipl
# packages: swi-prolog-nox
# serves: swipl
run swipl -q -g 'numlist(1, 200000, L), sum_list(L, S), print(S), nl,
    findall(X, (between(1, 50000, N), atom_concat(a, N, X)), Xs), length(Xs, Len), print(Len), nl,
    thread_create(true, Id), thread_join(Id, St), print(St), nl' -t halt
