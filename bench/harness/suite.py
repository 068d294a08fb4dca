"""The rows of the table: every workload with its variants and thread counts."""

import dataclasses
import fnmatch
import glob
import lzma
import os

from harness.measure import Command

TRACES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "traces")
FOUR = (1, 2, 8, 32)
REPLAYS = 100  # of a trace in one process, at full size: the traces are short

# workload, variant, thread counts
WORKLOADS = [
    ("tree", "", (1,)),
    ("strings", "", (1,)),
    ("sizes", "", FOUR),
    ("batches", "fifo", (1,)),
    ("batches", "lifo", (1,)),
    ("batches", "random", (1,)),
    ("batches", "random20k", (1,)),
    ("batches", "set60k", (1,)),
    ("server", "", FOUR),
    ("handoff", "busy", (2, 8, 32)),
    ("handoff", "sleepy", (2,)),
    ("mixed", "", FOUR),
    ("falseshare", "active", (2, 8)),
    ("falseshare", "passive", (2, 8)),
    ("spawn", "", (1, 8)),
    ("reaper", "", (1,)),
    ("large", "", (1,)),
    ("vectors", "geometric", (1,)),
    ("vectors", "steps", (1,)),
    ("vectors", "bytes", (1,)),
    ("grow", "", (1,)),
    ("sawtooth", "", (1,)),
    ("phases", "", (1,)),
    ("spike", "", (1,)),
    ("forkfree", "", (1,)),
    ("zeroed", "", (1,)),
    ("aligned", "", (1,)),
    ("latency", "", (1, 8)),
    ("adopted", "", (2, 8)),
    ("inbox", "", (2, 8)),
    ("workers", "", (2, 8)),
    ("pairs", "16", (1,)),
    ("pairs", "1024", (1,)),
    ("pairs", "40000", (1,)),
    ("pairs", "200000", (1,)),
    ("heirs", "", (2, 8)),
    ("rebuild", "", (1,)),
    ("arenas", "", (1,)),
    ("records", "", (1,)),
    ("manyhuge", "", (1,)),
]


@dataclasses.dataclass(frozen=True)
class Row:
    name: str  # "handoff-sleepy@2": workload, variant, threads
    family: str  # "handoff-sleepy"
    threads: int
    command: Command


def _row(build, workload, variant, threads, scale, extra):
    family = workload + (f"-{variant}" if variant else "")
    argv = [os.path.join(build, workload), "-t", str(threads), "-s", str(scale), *extra]
    if variant:
        argv += ["-v", variant]
    name = f"{family}@{threads}" if threads > 1 else family
    return Row(name, family, threads, Command(argv))


def _unpacked(packed, directory):
    """The path of a trace of bench/traces, unpacked when it is not there or older."""
    path = os.path.join(directory, os.path.basename(packed).removesuffix(".xz"))
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(packed):
        os.makedirs(directory, exist_ok=True)
        with lzma.open(packed) as source, open(path, "wb") as target:
            target.write(source.read())
    return path


def _replay_rows(build, scale):
    """A row "replay-NAME" for each recorded program NAME.trace.xz in bench/traces."""
    found = []
    repeat = max(1, round(REPLAYS * scale))
    for packed in sorted(glob.glob(os.path.join(TRACES, "*.trace.xz"))):
        name = "replay-" + os.path.basename(packed).removesuffix(".trace.xz")
        trace = _unpacked(packed, os.path.join(build, "traces"))
        found.append(Row(name, name, 1, Command(
            [os.path.join(build, "replay"), "--repeat", str(repeat), trace])))
    return found


# What bench/probes/ probes; these and some workloads make the table of `make bench-memory`.
PROBES = ["small", "large", "breath", "hugebreath", "rises", "vectors", "drop", "threads",
          "spawned", "random2", "random8", "burst", "attack", "phases", "refill", "refit",
          "sleeper", "overwritten", "freeonly", "growth", "append4k", "append16", "pause"]
PROBING_WORKLOADS = ["spike", "sawtooth"]


def memory_rows(build, scale=1.0, extra=()):
    """A row "memory-NAME" for each probe of bench/probes/."""
    return [_row(build, "memory", probe, 1, scale, extra) for probe in PROBES]


def trace_rows(build, paths, repeat):
    """A row for each trace file that a user recorded, with RSS / live bytes over time."""
    replay = [os.path.join(build, "replay"), "--over-time", "/dev/null", "--repeat", str(repeat)]
    return [Row(os.path.basename(path), path, 1, Command([*replay, os.path.abspath(path)]))
            for path in paths]


def rows(build, scale=1.0, extra=()):
    """All rows. Recorded programs are replayed whole; `scale` only says how often."""
    own = [_row(build, workload, variant, threads, scale, extra)
           for workload, variant, counts in WORKLOADS for threads in counts]
    return own + _replay_rows(build, scale)


def chosen(candidates, names):
    """The rows that the words of `names` select; returns (rows, words that select nothing).

    A word is a row's full name, a family ("server": all thread counts; "batches": all variants) or
    a shell pattern of these.
    """
    if not names:
        return candidates, []

    def fits(row, word):
        parts = (row.name, row.family, row.family.split("-")[0])
        return any(fnmatch.fnmatchcase(part, word) for part in parts)

    unknown = [word for word in names if not any(fits(row, word) for row in candidates)]
    return [row for row in candidates if any(fits(row, word) for word in names)], unknown
