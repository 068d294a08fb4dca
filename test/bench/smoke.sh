# smoke.sh - every workload of the benchmarks for a moment, and sound, cut and damaged traces, under
# glibc and the library: contents and exit status, no timing. It prints its claims itself.
exec python3 bench/run.py --build build/bench --alloc "glibc myalloc" smoke
