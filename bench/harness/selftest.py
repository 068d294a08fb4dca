"""Can this harness be trusted? glibc against itself must give 1, a spoiled allocator must not."""

import dataclasses
import os

from harness import session, suite
from harness.allocators import GLIBC, Allocator
from harness.table import AFTER, PEAK, TIME

ROWS = ["tree", "sizes", "server@2", "batches-random", "handoff-busy@2", "reaper"]
NOISE_FLOOR = 0.02  # no claim below 2 %, however calm the rounds were
NOISE_LIMIT = 0.10  # above it the machine is too busy for the test to mean anything
EXPECTED = [  # how the allocator is spoiled, what must show, and from which ratio on
    ("slow", TIME, 1.10),
    ("leak", PEAK, 1.10),
    ("leak", AFTER, 1.10),
]


class Verdicts:
    def __init__(self):
        self.failed = 0

    def say(self, good, text):
        print(("PASS " if good else "FAIL ") + text)
        self.failed += not good


def _mean_is_one(verdicts, current, key, what):
    mean, noise, rows = current.mean("glibc again", key)
    allowed = max(noise, NOISE_FLOOR)
    verdicts.say(abs(mean - 1) <= allowed <= NOISE_LIMIT,
                 f"glibc against glibc, {what}: mean {mean:.3f} of {rows} rows, "
                 f"noise ±{noise:.1%}, allowed ±{allowed:.1%}")


def _equal(verdicts, build, runs, rows):
    same = [Allocator(GLIBC, "", ""), Allocator("glibc again", "", "")]
    current = session.Session(same, {}, {}, runs)
    current.rows = [session.measure_row(build, row, same, runs) for row in rows]
    _mean_is_one(verdicts, current, TIME, "time")
    _mean_is_one(verdicts, current, PEAK, "peak RSS")
    differing = [row.name for row in current.rows if not row.noisy("glibc again", TIME)]
    verdicts.say(len(differing) <= 1, "rows said to differ beyond the noise (at most 1 by chance): "
                 + (" ".join(differing) or "none"))


def _spoil(row, mode):
    return dataclasses.replace(
        row, command=dataclasses.replace(row.command, env={"CRIPPLED": mode}))


def _spoiled(verdicts, build, runs, row, base):
    shim = os.path.join(build, "crippled.so")
    crippled = Allocator("crippled", ":".join(filter(None, [shim, base.preload])), "")
    for mode, key, least in EXPECTED:
        result = session.measure_row(build, _spoil(row, mode), [base, crippled], runs)
        ratio = result.ratio("crippled", key, base=base.name)
        if ratio is None:
            verdicts.say(False, f"{base.name} made to {mode}: {result.cells['crippled'].failed}")
            continue
        noisy = result.noisy("crippled", key, base=base.name)
        verdicts.say(ratio > least and not noisy,
                     f"{base.name} spoiled ({mode}): {key} x {ratio:.2f}, expected above {least}")
    for mode in ("corrupt", "crash"):
        result = session.measure_row(build, _spoil(row, mode), [crippled], 1)
        failed = result.cells["crippled"].failed
        verdicts.say(bool(failed), f"{base.name} spoiled ({mode}) is an error: {failed[:90]}")
    _impostor(verdicts, build, row)


def _impostor(verdicts, build, row):
    """A preload that does not serve malloc must not be measured under its name."""
    probe = Allocator("impostor", os.path.join(build, "probe.so"), "")
    failed = session.measure_row(build, row, [probe], 1).cells["impostor"].failed
    verdicts.say("malloc was served by" in failed, f"an impostor is an error: {failed[:90]}")


def run(build, runs, scale, base):
    """`base` is the allocator to spoil: ours when it is built. Returns the exit status."""
    rows, _ = suite.chosen(suite.rows(build, scale), ROWS)
    verdicts = Verdicts()
    runs = max(runs, 5)  # fewer could never be called different
    _equal(verdicts, build, runs, rows)
    sizes = next(row for row in rows if row.name == "sizes")
    _spoiled(verdicts, build, runs, sizes, base)
    print(f"{'FAIL' if verdicts.failed else 'PASS'}: {verdicts.failed} failed")
    return 1 if verdicts.failed else 0
