"""Runs the catalogue of misuse under any allocator and prints who catches what.

A case is a program of test/misuse/cases. Those in C take a size and are run with three: a small
one, a medium one and a large one, which fall into the tiers of the library (to 1 KiB, to 32 KiB,
above); those in C++ are about types and have no size. In the table `+` means caught: the process
was ended before it could say NOT_CAUGHT, or found that its misuse had no effect; `.` missed; `L`
late: it ended badly, but only after NOT_CAUGHT; `T` did not end; `?` could not be run. Each
run is repeated, and the worst counts: addresses are random.
"""

import argparse
import dataclasses
import concurrent.futures
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "bench"))

from harness import allocators  # noqa: E402 (the path to it is set above)
import cost  # noqa: E402

SIZES = {"small": 8, "medium": 4096, "large": 256 * 1024}
FLAGS = ["-O2", "-g", "-w", "-fno-builtin", "-fcf-protection=none", "-U_FORTIFY_SOURCE"]
CAUGHT, MISSED, LATE, HUNG, BROKEN = "+", ".", "L", "T", "?"
WORST_FIRST = [BROKEN, MISSED, LATE, HUNG, CAUGHT]
TIMEOUT_SECONDS = 10
COLUMN = 18  # of an allocator and its options


def build(directory):
    """Compiles all cases; [(name, program, [arguments of its runs])]."""
    os.makedirs(directory, exist_ok=True)
    cases = []
    for file in sorted(os.listdir(f"{HERE}/cases")):
        name, kind = os.path.splitext(file)
        program = f"{directory}/{name}"
        compiler = ["gcc", "-std=gnu11"] if kind == ".c" else ["g++", "-std=c++17"]
        subprocess.run([*compiler, *FLAGS, "-o", program, f"{HERE}/cases/{file}"], check=True)
        sizes = [[str(size)] for size in SIZES.values()] if kind == ".c" else [[]]
        cases.append((name, program, sizes))
    return cases


def ended_by(status):
    return f"signal {-status}" if status < 0 else f"status {status}"


@dataclasses.dataclass(frozen=True)
class Subject:
    """An allocator, with the options that it is run with."""

    name: str
    preload: str
    options: str

    def environment(self):
        result = dict(os.environ, LC_ALL="C.UTF-8")
        for key, value in (("LD_PRELOAD", self.preload), ("MYALLOC_CONF", self.options)):
            result.pop(key, None)
            if value:
                result[key] = value
        return result


def find_subjects(names):
    """(subjects, {name: why there is none}); a name may have options: myalloc:harden=1."""
    if not names:
        names = [None, *(f"{allocators.MYALLOC}:harden={level}" for level in (1, 2, 3))]
    found, lacking = [], {}
    for name in names:
        base, _, options = (name or "").partition(":")
        ones, reasons = allocators.find([base] if base else [], ROOT)
        lacking.update(reasons)
        found += [Subject(f"{one.name}:{options}" if options else one.name, one.preload,
                          options.replace("=", ":").replace("+", ",")) for one in ones]
    return found, lacking


def run_once(program, arguments, subject):
    """(mark, why) of one run."""
    environment = subject.environment()
    try:
        done = subprocess.run([program, *arguments], env=environment, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired as stopped:
        said = b"NOT_CAUGHT" in (stopped.stdout or b"")
        return (LATE if said else HUNG), "did not end"
    complaint = done.stderr.decode(errors="replace").strip().splitlines()
    why = f"{ended_by(done.returncode)} {complaint[0] if complaint else ''}".strip()
    if b"NOT_CAUGHT" in done.stdout:
        return (MISSED if done.returncode == 0 else LATE), why
    if b"HARMLESS" in done.stdout:
        return CAUGHT, "harmless"
    if done.returncode < 0 or (complaint and done.returncode not in range(97, 100)):
        return CAUGHT, why
    return BROKEN, why


def run_often(program, arguments, subject, times):
    """The worst of several runs: what depends on where the kernel puts the heap is no catch."""
    return min((run_once(program, arguments, subject) for _ in range(times)),
               key=lambda run: WORST_FIRST.index(run[0]))


def run_all(cases, subject, pool, times):
    """{case: [(mark, why) for each size]}"""
    runs = {(name, index): pool.submit(run_often, program, arguments, subject, times)
            for name, program, sizes in cases for index, arguments in enumerate(sizes)}
    return {name: [runs[name, index].result() for index in range(len(sizes))]
            for name, _, sizes in cases}


def count(results, mark):
    return sum(one == mark for row in results.values() for one, _ in row)


def print_table(cases, results):
    width = max(len(name) for name, _, _ in cases)
    print(f"{'':<{width}}" + "".join(f"{name:>{COLUMN}}" for name in results))
    for name, _, _ in cases:
        marks = ["".join(mark for mark, _ in by_case[name]) for by_case in results.values()]
        print(f"{name:<{width}}" + "".join(f"{mark:>{COLUMN}}" for mark in marks))
    total = sum(len(sizes) for _, _, sizes in cases)
    for mark, meaning in ((CAUGHT, f"caught of {total}"), (LATE, "late"), (HUNG, "hung"),
                          (BROKEN, "not run")):
        if mark == CAUGHT or any(count(by_case, mark) for by_case in results.values()):
            print(f"{meaning:<{width}}"
                  + "".join(f"{count(by_case, mark):>{COLUMN}}" for by_case in results.values()))


def print_reasons(results):
    for allocator, by_case in results.items():
        print(f"\n{allocator}")
        for name, row in by_case.items():
            for (mark, why), size in zip(row, SIZES if len(row) > 1 else ["-"]):
                print(f"  {mark} {name} {size}: {why}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--allocators", type=lambda text: text.split(","), default=[],
                        help="comma-separated: glibc, myalloc, a rival's name, or a path, each "
                             "perhaps with options, as myalloc:harden=1+guard=100; default: all")
    parser.add_argument("--build", default=f"{ROOT}/build/misuse", help="where programs go")
    parser.add_argument("--repeat", type=int, default=5, metavar="N",
                        help="run each N times and count the worst (default 5)")
    parser.add_argument("--json", help="also write the results to this file")
    parser.add_argument("--reasons", action="store_true", help="print how each run ended")
    parser.add_argument("--cost", type=float, metavar="SCALE",
                        help="in place of the catalogue: CPU time on the workloads of bench/, "
                             "built by `make bench-build`, at this scale")
    parser.add_argument("--bench", type=lambda text: text.split(","), default=[],
                        help="with --cost: only these workloads, as server@8,batches-*")
    parser.add_argument("--at-least", type=lambda text: [int(word) for word in text.split(",")],
                        metavar="N,N", default=[],
                        help="fail unless the allocators, in this order, catch so many")
    return parser.parse_args()


def main():
    options = parse_arguments()
    found, lacking = find_subjects(options.allocators)
    if options.cost is not None:
        table = cost.measure(ROOT, found, options.cost, options.repeat, options.bench)
        cost.print_all(table, found, COLUMN)
        return 0
    cases = build(options.build)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = {one.name: run_all(cases, one, pool, options.repeat) for one in found}
    print_table(cases, results)
    if options.reasons:
        print_reasons(results)
    for name, reason in lacking.items():
        print(f"{name}: {reason}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"sizes": SIZES, "results": results}, file, indent=1)
    caught = [count(by_case, CAUGHT) for by_case in results.values()]
    is_enough = len(caught) >= len(options.at_least) and all(
        one >= least for one, least in zip(caught, options.at_least))
    return 0 if is_enough else 1


if __name__ == "__main__":
    sys.exit(main())
