# erlang.sh - erlang: processes with heaps of their own, many threads
# needs: erl
# packages: erlang-base
# serves: beam.smp
run erl -noshell -eval '
    S = self(),
    [spawn(fun() -> S ! lists:sum([length(lists:seq(1, I)) || I <- lists:seq(1, 300)]) end)
     || _ <- lists:seq(1, 200)],
    T = lists:sum([receive X -> X end || _ <- lists:seq(1, 200)]),
    io:format("~p~n", [T]), halt().'
