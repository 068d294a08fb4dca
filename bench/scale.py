"""Counts what threads share: locks taken and atomic read-modify-writes for each operation.

The machine has two cores, so time says nothing of 64 threads; counts do. Each workload runs with 1,
8 and 64 threads under callgrind, which counts the calls of the library's own functions exactly. It
knows no restartable sequences, so each thread has a slot of its own there: as many slots as 64 CPUs
would have. A lock is two read-modify-writes when nobody waits: a compare-and-swap on the way in, an
exchange on the way out, and both write its cache line.
"""

import argparse
import collections
import os
import re
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
ROWS = ("sizes", "server", "mixed", "handoff -v busy")
THREADS = (1, 8, 64)
# Read-modify-writes of a call, when nobody waits.
COSTS = {"lock_acquire": 1, "lock_try_acquire": 1, "lock_release": 1}
SHOWN = ("depot_fetch", "depot_return", "depot_sweep", "slot_open", "span_allocate", "span_free")


def calls_of(path):
    """{function: times called} of a callgrind file, whose names are written out only once."""
    names, calls, callee = {}, collections.Counter(), None
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name = re.match(r"(c?)fn=\((\d+)\)(?: (.*))?", line)
            if name:
                if name.group(3):
                    names[name.group(2)] = name.group(3).strip().split("'")[0]
                callee = names[name.group(2)] if name.group(1) else callee
            elif line.startswith("calls=") and callee:
                calls[callee] += int(line.split()[0].removeprefix("calls="))
    return calls


def count(row, threads, scale, library, build):
    """(operations, calls) of one run."""
    workload, *variant = row.split()
    with tempfile.TemporaryDirectory() as work:
        out = f"{work}/callgrind.out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                   f"{build}/{workload}", "-t", str(threads), "-s", str(scale), *variant]
        done = subprocess.run(command, env=dict(os.environ, LD_PRELOAD=library), text=True,
                              capture_output=True, check=True)
        return int(re.search(r" ops=(\d+)", done.stdout).group(1)), calls_of(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.2, help="of the workloads (default 0.2)")
    parser.add_argument("--library", default=f"{ROOT}/libmyalloc.so")
    parser.add_argument("--build", default=f"{ROOT}/build/bench")
    options = parser.parse_args()
    print("Per 1000 operations. rmw: atomic read-modify-writes; locks: taken; then calls.")
    print(f"{'':16}{'slots':>6}{'rmw':>9}{'locks':>9}"
          + "".join(f"{name:>16}" for name in SHOWN))
    for row in ROWS:
        for threads in THREADS:
            operations, calls = count(row, threads, options.scale, options.library, options.build)
            rmw = sum(calls[name] * cost for name, cost in COSTS.items())
            figures = [rmw, calls["lock_release"]]
            print(f"{row:16}{threads:>6}"
                  + "".join(f"{figure * 1000 / operations:9.2f}" for figure in figures)
                  + "".join(f"{calls[name] * 1000 / operations:16.2f}" for name in SHOWN),
                  flush=True)


if __name__ == "__main__":
    main()
