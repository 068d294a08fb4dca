#!/usr/bin/env python3
"""Entry point of the benchmarks; `make bench`, `make bench-real` and the others call it."""

import argparse
import os
import shutil
import sys

from harness import (allocators, machine, memory, real, report, selftest, session, smoke, suite,
                     table)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUNS = 5
RESULTS = os.path.join(ROOT, "bench", "results")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=["workloads", "real", "replay", "memory", "report", "self",
                                             "smoke"])
    parser.add_argument("--build", required=True, help="directory of the built workloads")
    parser.add_argument("--bench", default="", help='words: "tree server@8 batches-*"')
    parser.add_argument("--alloc", default="", help='words: "glibc myalloc /path/x.so"')
    parser.add_argument("--runs", type=int, help="5 when not given; 3 for memory")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is full size")
    parser.add_argument("--trace", default="", help="words: traces to replay")
    parser.add_argument("--repeat", type=int, default=1, help="runs of a trace in one process")
    options = parser.parse_args()
    if options.runs is None:
        options.runs = memory.RUNS if options.mode == "memory" else RUNS
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    options.build = os.path.abspath(options.build)
    return options


def start_session(options):
    found, skipped = allocators.find(options.alloc.split(), ROOT)
    for name, why in skipped.items():
        print(f"skipped: {name}: {why}", file=sys.stderr)
    if not found:
        sys.exit("no allocator is left to measure")
    warning = machine.warning()
    if warning:
        print(warning, file=sys.stderr)
    description = machine.describe(allocators.commit(ROOT))
    return session.Session(found, skipped, description, options.runs)


def measure_all(current, options, rows):
    for row in rows:
        current.rows.append(
            session.measure_row(options.build, row, current.allocators, options.runs))
    for row in current.rows:
        for cell in row.cells.values():
            for sample in cell.samples:
                if "ops" in sample:
                    sample["mops"] = sample["ops"] / sample["seconds"] / 1e6


def finish(current, stem):
    table.write_files(current, RESULTS, stem)  # first: whoever reads the table may stop reading
    table.print_all(current)
    print(f"written: bench/results/{stem}.json and {stem}.csv")
    return 1 if current.failures() else 0


def run_workloads(options):
    rows, unknown = suite.chosen(suite.rows(options.build, options.scale), options.bench.split())
    if unknown:
        sys.exit(f"no workload is called {' or '.join(unknown)}")
    current = start_session(options)
    measure_all(current, options, rows)
    return finish(current, "selection" if options.bench else "results")


def run_real(options):
    rows, missing = real.rows(options.build, options.bench.split())
    for name, why in missing.items():
        print(f"skipped: {name}: {why}", file=sys.stderr)
    current = start_session(options)
    current.skipped.update(missing)
    measure_all(current, options, rows)
    return finish(current, "real-selection" if options.bench else "real")


def run_replay(options):
    """Recorded programs of the user's under every allocator, and under each of our fit policies."""
    traces = options.trace.split()
    unreadable = [path for path in traces if not os.access(path, os.R_OK)]
    if not traces or unreadable:
        sys.exit(f"cannot read {' '.join(unreadable)}" if traces else
                 "which traces? make bench-replay TRACE=\"program.trace\"")
    if not options.alloc:
        options.alloc = " ".join([*allocators.KNOWN, *allocators.FIT_POLICIES])
    current = start_session(options)
    measure_all(current, options, suite.trace_rows(options.build, traces, options.repeat))
    return finish(current, "replay")


def run_memory(options):
    rows, unknown = memory.rows(options.build, options.scale, options.bench.split())
    if unknown:
        sys.exit(f"no probe is called {' or '.join(unknown)}")
    if not options.alloc:
        options.alloc = " ".join([*allocators.KNOWN, memory.OURS_UNPURGED])
    current = start_session(options)
    measure_all(current, options, rows)
    for row in current.rows:
        for cell in row.cells.values():
            for sample in cell.samples:
                memory.add_derived(sample)
    stem = "memory-selection" if options.bench else "memory"
    memory.report(current, RESULTS, stem)
    print(f"written: bench/results/{stem}.json and {stem}.csv")
    return 1 if current.failures() else 0


def run_report(options):
    """Draws the last results; measures first when there are none."""
    if shutil.which("gnuplot") is None:
        sys.exit("bench-report needs gnuplot (make bench-setup)")
    paths = {stem: os.path.join(RESULTS, stem + ".json") for stem in ("results", "real", "memory")}
    status = 0 if os.path.exists(paths["results"]) else run_workloads(options)
    loaded = {stem: report.load(path) for stem, path in paths.items() if os.path.exists(path)}
    text = report.page(loaded.pop("results"), loaded, options.build, options.scale)
    with open(os.path.join(RESULTS, "report.html"), "w", encoding="utf-8") as file:
        file.write(text)
    print("written: bench/results/report.html")
    return status


def run_smoke(options):
    found, skipped = allocators.find(options.alloc.split(), ROOT)
    for name, why in skipped.items():
        print(f"skipped: {name}: {why}")
    return smoke.run(options.build, found, options.bench.split())


def run_self(options):
    found, _ = allocators.find([allocators.MYALLOC], ROOT)
    base = found or allocators.find([allocators.GLIBC], ROOT)[0]
    print(f"the allocator to be spoiled is {base[0].name}")
    return selftest.run(options.build, options.runs, options.scale, base[0])


def main():
    options = parse_arguments()
    modes = {"workloads": run_workloads, "real": run_real, "replay": run_replay,
             "memory": run_memory, "report": run_report, "self": run_self, "smoke": run_smoke}
    return modes[options.mode](options)


if __name__ == "__main__":
    sys.exit(main())
