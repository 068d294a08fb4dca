"""A measurement session: every row under every allocator, interleaved, with its results."""

import dataclasses
import os
import sys

from harness import measure, noise
from harness.allocators import GLIBC


@dataclasses.dataclass
class Cell:
    """One row under one allocator: a sample for each round, or why there is none."""

    samples: list = dataclasses.field(default_factory=list)
    failed: str = ""

    def values(self, key):
        return [s[key] for s in self.samples if key in s]

    def median(self, key):
        values = self.values(key)
        return noise.median(values) if values and not self.failed else None


@dataclasses.dataclass
class RowResult:
    name: str
    family: str
    threads: int
    cells: dict  # allocator name -> Cell

    def rounds_ratio(self, name, key, base=GLIBC):
        """Per round, the value under `name` relative to the value under `base`."""
        return [a / b for a, b in zip(self.cells[name].values(key), self.cells[base].values(key))
                if a > 0 and b > 0]

    def ratio(self, name, key, base=GLIBC):
        """The ratio of the medians, None when either is missing."""
        if name not in self.cells or base not in self.cells:
            return None
        ours, theirs = self.cells[name].median(key), self.cells[base].median(key)
        return ours / theirs if ours and theirs else None

    def noisy(self, name, key, base=GLIBC):
        ours, theirs = self.cells[name].values(key), self.cells[base].values(key)
        return noise.within_noise(ours, theirs)


@dataclasses.dataclass
class Session:
    allocators: list
    skipped: dict
    machine: dict
    runs: int
    rows: list = dataclasses.field(default_factory=list)

    def names(self):
        return [a.name for a in self.allocators]

    def failures(self):
        return [(row.name, name, cell.failed) for row in self.rows
                for name, cell in row.cells.items() if cell.failed]

    def mean(self, name, key, threads=None, base=GLIBC):
        """(geometric mean of the ratios, noise, rows counted)."""
        rows = [row for row in self.rows if (threads is None or row.threads in threads)
                and row.ratio(name, key, base) is not None]
        mean = noise.geometric_mean([row.ratio(name, key, base) for row in rows])
        spread = noise.mean_noise([row.rounds_ratio(name, key, base) for row in rows])
        return mean, spread, len(rows)


def _attempt(cell, action):
    """Runs `action` unless the cell has failed already; a failure is kept in the cell."""
    if cell.failed:
        return
    try:
        sample = action()
        if sample is not None:
            cell.samples.append(sample)
    except measure.Failed as error:
        cell.failed = str(error)


def _compare_outputs(cells):
    """A program's output must be the same under every allocator as under the first that ran."""
    expected = None
    for cell in cells.values():
        for output in cell.values("output"):
            expected = expected or output
            if output != expected:
                cell.failed = f"its output differs (digest {output}, expected {expected})"


def measure_row(build, row, allocators, runs, quiet=False):
    """Warm-up with verification under each allocator, then rounds A B C A B C ..."""
    tool = os.path.join(build, "measure")
    probe = os.path.abspath(os.path.join(build, "probe.so"))
    cells = {a.name: Cell() for a in allocators}
    if not quiet:
        print(f"  {row.name} ...", end="", file=sys.stderr, flush=True)
    for a in allocators:
        _attempt(cells[a.name], lambda a=a: measure.verify_provider(tool, row.command, a, probe))
    for _ in range(runs):
        for a in allocators:
            _attempt(cells[a.name], lambda a=a: measure.run(tool, row.command, a))
        if not quiet:
            print(".", end="", file=sys.stderr, flush=True)
    if not quiet:
        print("", file=sys.stderr)
    _compare_outputs(cells)
    return RowResult(row.name, row.family, row.threads, cells)
