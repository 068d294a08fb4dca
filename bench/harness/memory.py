"""`make bench-memory`: what allocators keep, and what growing costs; figures, not judged."""

import csv
import os

from harness import suite, table

RUNS = 3
OURS_UNPURGED = "myalloc:purge:0"  # the price of giving memory back is the difference to it

# (row, what its sample says, its title in the table); the figure is the median of the runs.
FIGURES = [
    ("memory-small", "left_percent", "500 MB in 500-byte blocks, freed: % left after 2 s"),
    ("memory-small", "left_trimmed_percent", "... after malloc_trim"),
    ("memory-large", "left_percent", "500 blocks of 1 MB, freed: % left after 2 s"),
    ("memory-large", "left_trimmed_percent", "... after malloc_trim"),
    ("memory-breath", "left_mib", "12 times 120 MiB up and down: MiB left"),
    ("memory-hugebreath", "left_mib", "12 times one block of 300 MiB: MiB left"),
    ("memory-rises", "left_mib", "second rise and fall of 1 million blocks: MiB left"),
    ("memory-vectors", "left_mib", "20 vectors of 64 MiB: MiB left"),
    ("memory-random2", "left_mib", "two threads, random sizes, nothing live: MiB left"),
    ("memory-random8", "left_mib", "eight: MiB left"),
    ("memory-drop", "left_mib", "40 to 100 MB, drop to 1 MB, 3 s without a call: MiB left"),
    ("memory-burst", "left_mib", "burst of 16 pool threads, 10 s idle: MiB left"),
    ("spike", "kept_percent", "400 MiB once, then idle: % left after 1 s"),
    ("memory-sleeper", "left_percent", "100 MB of a sleeping thread, freed by another: % left"),
    ("memory-overwritten", "left_percent", "... overwritten at random before: % left"),
    ("memory-freeonly", "rss_per_live", "thread that only frees: peak RSS / live"),
    ("memory-threads", "live_thread_kib", "a live thread with 65 small blocks: KiB"),
    ("memory-threads", "ended_thread_kib", "... after its end: KiB"),
    ("memory-spawned", "growth_kib", "10,000 threads one by one: growth of the RSS in KiB"),
    ("memory-attack", "rss_per_live", "Robson-like attack: RSS / live"),
    ("memory-phases", "rss_per_live", "phases of changing sizes: RSS / live"),
    ("memory-refill", "rss_per_live", "nine in ten freed, filled with another size: RSS / live"),
    ("memory-refit", "rss_per_live_half", "half freed at random: RSS / live"),
    ("memory-refit", "rss_per_live", "... filled with larger ones: RSS / live"),
    ("memory-growth", "ms", "realloc by half to 256 MB, untouched: ms"),
    ("memory-append4k", "ms", "4-KiB appends to 32 MB: ms (5000: given up)"),
    ("memory-append16", "ms", "16-byte appends to 2 MB: ms (5000: given up)"),
    ("sawtooth", "ms", "saw-tooth, 20 times 100 MB: ms"),
    ("sawtooth", "rss_after_mib", "... RSS at its end, 1 MB live: MiB"),
    ("memory-pause", "malloc_us", "... longest malloc: us of processor time"),
    ("memory-pause", "free_us", "... longest free: us of processor time"),
]


def rows(build, scale, names):
    """(rows, words of `names` that select nothing)."""
    workloads, _ = suite.chosen(suite.rows(build, scale), suite.PROBING_WORKLOADS)
    return suite.chosen(suite.memory_rows(build, scale) + workloads, names)


def add_derived(sample):
    """Figures that are made of what a workload reports."""
    sample["ms"] = sample.get("ms", sample["seconds"] * 1e3)
    sample["kept_percent"] = 100 * sample["rss_after_kib"] / sample["peak_kib"]
    sample["rss_after_mib"] = sample["rss_after_kib"] / 1024


def lines_of(session):
    """[[title, a median for each allocator]] of the figures whose rows were measured."""
    measured = {row.name: row for row in session.rows}
    return [[title, *(measured[name].cells[a].median(key) for a in session.names())]
            for name, key, title in FIGURES if name in measured]


def text_of(value):
    return "-" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def report(session, directory, stem):
    """Writes STEM.json and STEM.csv and prints the table."""
    head, lines = ["", *session.names()], lines_of(session)
    table.write_json(session, directory, stem)
    with open(os.path.join(directory, stem + ".csv"), "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *lines])
    table.print_surroundings(session)
    table.print_grid("What is kept and what growing costs; medians, lower is better", head,
                     [[title, *map(text_of, values)] for title, *values in lines])
    table.print_failures(session)
