"""Every workload for a fraction of a second under every allocator: contents and exit, no timing."""

import concurrent.futures
import os

from harness import measure, replay_check, suite

SCALE = 0.01
TIMEOUT = 30


def _check(tool, row, allocator):
    row.command.timeout = TIMEOUT
    try:
        measure.run(tool, row.command, allocator)
        return None
    except measure.Failed as error:
        return f"FAILED {row.name} under {allocator.name}: {error}"


def run(build, allocators, names):
    """Returns the exit status; prints the failures and the last line "N passed, N failed"."""
    rows, unknown = suite.chosen(suite.rows(build, SCALE, extra=["-f"]), names)
    problems = [f"FAILED no workload is called {word}" for word in unknown]
    tool = os.path.join(build, "measure")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        pairs = [(row, a) for row in rows for a in allocators]
        outcomes = list(pool.map(lambda pair: _check(tool, *pair), pairs))
    problems += [text for text in outcomes if text]
    trace_passed, trace_problems = replay_check.run(build, allocators)
    problems += trace_problems
    for text in problems:
        print(text)
    print(f"{outcomes.count(None) + trace_passed} passed, {len(problems)} failed")
    return 1 if problems or not outcomes else 0
