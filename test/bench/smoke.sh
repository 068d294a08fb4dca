# smoke.sh - every workload of the benchmarks for a moment, and sound, cut and damaged traces, under
# every allocator that is installed: contents and exit status, no timing. It says its claims itself.
exec python3 bench/run.py --build build/bench smoke
