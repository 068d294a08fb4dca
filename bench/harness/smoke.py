"""Every workload for a fraction of a second under every allocator: contents and exit, no timing."""

import concurrent.futures
import os

from harness import measure, replay_check, suite

SCALE = 0.01
TIMEOUT = 30


def _check(tool, row, allocator):
    row.command.timeout = TIMEOUT
    return f"{row.name} under {allocator.name}", measure.failure(tool, row.command, allocator)


def run(build, allocators, names):
    """Returns the exit status; prints a line for each claim and, last, "N passed, N failed"."""
    every_byte = ["-f"]
    rows, unknown = suite.chosen(suite.rows(build, SCALE, every_byte)
                                 + suite.memory_rows(build, SCALE, every_byte), names)
    outcomes = [(f"a workload is called {word}", "unknown") for word in unknown]
    tool = os.path.join(build, "measure")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        pairs = [(row, a) for row in rows for a in allocators]
        outcomes += pool.map(lambda pair: _check(tool, *pair), pairs)
    outcomes += replay_check.run(build, allocators)
    for claim, problem in outcomes:
        if problem is None:
            print(f"ok - {claim}")
        else:
            print(*(f"# {line}" for line in problem.splitlines()), f"not ok - {claim}", sep="\n")
    failed = sum(problem is not None for _, problem in outcomes)
    print(f"{len(outcomes) - failed} passed, {failed} failed")
    return 1 if failed or not pairs else 0
