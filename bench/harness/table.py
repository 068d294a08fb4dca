"""The printed tables, results.json and results.csv."""

import csv
import dataclasses
import json
import os

from harness.allocators import GLIBC, MYALLOC

LOSS = 1.05  # a rival beats us when our figure is more than this times its own
TIME, PEAK, AFTER = "seconds", "peak_kib", "rss_after_kib"
GROUPS = [("all rows", None), ("1 and 2 threads", (1, 2)), ("8 and 32 threads", (8, 32))]


def print_grid(title, head, lines):
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    print(f"\n{title}")
    for line in [head, ["-" * w for w in widths], *lines]:
        cells = [line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:], widths[1:])]
        print("  ".join(cells).rstrip())


def _ratio_text(row, name, key):
    if row.cells[name].failed:
        return "FAILED"
    ratio = row.ratio(name, key)
    if ratio is None:
        return "-"
    return f"{ratio:.2f}" + ("~" if name != GLIBC and row.noisy(name, key) else " ")


def _number(value):
    """Three significant digits, and all digits before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _span(cell, key, unit):
    values = cell.values(key)
    if cell.failed or not values:
        return "-"
    low, high = _number(min(values) / unit), _number(max(values) / unit)
    return f"{_number(cell.median(key) / unit)} [{low}, {high}]"


def _print_ratios(session, title, key, unit_name, unit):
    names = session.names()
    head = ["", f"glibc {unit_name} [min, max]", *names]
    lines = [[row.name, _span(row.cells[GLIBC], key, unit),
              *(_ratio_text(row, name, key) for name in names)]
             for row in session.rows if any(c.values(key) for c in row.cells.values())]
    for label, counted, means in mean_lines(session, key):
        lines.append([f"= geometric mean, {label} ({counted})", "",
                      *(_mean_text(*mean, counted) for mean in means)])
    print_grid(title, head, lines)


def mean_lines(session, key):
    """[(group of rows, how many, [Session.mean for each allocator])]: of those that say more."""
    lines, told = [], {1}
    for label, threads in GROUPS:
        means = [session.mean(name, key, threads) for name in session.names()]
        counted = max(count for _, _, count in means)
        if counted and counted not in told:
            lines.append((label, counted, means))
            told.add(counted)
    return lines


def _mean_text(mean, spread, count, counted):
    """A mean with its noise, and of how many rows when an allocator has failed in some."""
    if mean is None:
        return "-"
    return (f"{mean:.3f}" + (f" ±{spread:.1%}" if spread is not None else "")
            + (f" of {count}" if count != counted else ""))


def _print_absolute(session, title, key, unit):
    head = ["", *session.names()]
    lines = [[row.name, *(_span(row.cells[name], key, unit) for name in session.names())]
             for row in session.rows if any(c.values(key) for c in row.cells.values())]
    if lines:
        print_grid(title, head, lines)


def _print_seconds(session):
    """The whole process as seen from outside, its start and end included."""
    lines = []
    for row in session.rows:
        figures = [[row.cells[name].median(key) for key in ("wall", "user", "sys")]
                   for name in session.names()]
        lines.append([row.name] + ["-" if None in three else "{:.2f} {:.2f}+{:.2f}".format(*three)
                                   for three in figures])
    print_grid("Wall seconds, user + system seconds of the whole process, medians",
                ["", *session.names()], lines)


def _print_extras(session):
    """The medians of what single workloads measure besides, such as percentiles of latency."""
    lines = []
    for row in session.rows:
        for key in _extra_keys(row):
            medians = [row.cells[name].median(key) for name in session.names()]
            texts = ["-" if m is None else _number(m) for m in medians]
            lines.append([f"{row.name} {key}", *texts])
    if lines:
        print_grid("Other figures, medians", ["", *session.names()], lines)


def losses(session, key):
    """[(our figure / the rival's, row, rival, within noise)], worst first; one line per row."""
    found = []
    for row in session.rows:
        worst = []
        for name in session.names():
            ratio = row.ratio(MYALLOC, key, base=name)
            if not name.startswith(MYALLOC) and ratio is not None and ratio > LOSS:
                worst.append((ratio, row.name, name, row.noisy(MYALLOC, key, base=name)))
        found += sorted(worst, reverse=True)[:1]
    return sorted(found, reverse=True)


def _print_losses(session):
    if MYALLOC not in session.names():
        return
    for key, what in ((TIME, "time"), (PEAK, "peak RSS"), (AFTER, "RSS after the work")):
        lines = [[name, f"{ratio:.2f}", rival, "within the noise" if noisy else ""]
                 for ratio, name, rival, noisy in losses(session, key)]
        if lines:
            print_grid(f"Rows where a rival beats myalloc by more than 5 %: {what}",
                        ["", "ours / best", "best rival", ""], lines)


def print_surroundings(session):
    """The machine, the allocators, and what was skipped."""
    machine = session.machine
    print(f"\n{machine['cpu']}, {machine['cpus']} processors, {machine['memory_mib']} MiB, "
          f"Linux {machine['kernel']}, THP {machine['thp']}, commit {machine['commit']}, "
          f"load {machine['load_at_start']:.2f}, {session.runs} runs")
    for a in session.allocators:
        print(f"  {a.name}: {a.version or 'version unknown'}")
    for name, why in session.skipped.items():
        print(f"  {name}: skipped, {why}")


def print_failures(session):
    for row, name, why in session.failures():
        print(f"FAILED: {row} under {name}: {why}")


def print_all(session):
    print_surroundings(session)
    print("Ratios of medians, glibc = 1.00, lower is better; ~ within the noise (Mann-Whitney,"
          " p > 0.05)")
    if session.runs < 4:
        print("With fewer than 4 runs no difference can be told from noise.")
    if GLIBC in session.names():
        _print_ratios(session, "Time of the measured part", TIME, "ms", 1e-3)
        _print_ratios(session, "Peak RSS", PEAK, "MiB", 1024)
    _print_absolute(session, "RSS after the work, MiB: median [min, max]", AFTER, 1024)
    _print_absolute(session, "Million operations a second: median [min, max]", "mops", 1)
    _print_absolute(session, "Minor faults, thousands: median [min, max]", "minor_faults", 1000)
    _print_seconds(session)
    _print_extras(session)
    _print_losses(session)
    print_failures(session)


KNOWN_KEYS = {TIME, PEAK, AFTER, "wall", "user", "sys", "minor_faults", "major_faults", "name",
              "threads", "ops", "mops", "malloc", "output"}


def _extra_keys(row):
    keys = (k for cell in row.cells.values() for sample in cell.samples for k in sample)
    return list(dict.fromkeys(k for k in keys if k not in KNOWN_KEYS))


CSV_KEYS = [("time", TIME), ("rss", PEAK), ("user", "user"), ("sys", "sys"),
            ("page-faults", "major_faults"), ("page-reclaims", "minor_faults"),
            ("wall", "wall"), ("rss-after", AFTER), ("mops", "mops")]


def write_json(session, directory, stem):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, stem + ".json"), "w", encoding="utf-8") as file:
        json.dump({"schema": 1, **dataclasses.asdict(session)}, file, indent=1)


def write_files(session, directory, stem="results"):
    """results.json (everything) and results.csv (medians, minima, maxima)."""
    write_json(session, directory, stem)
    with open(os.path.join(directory, stem + ".csv"), "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["test", "alloc", *(name for name, _ in CSV_KEYS),
                      "time-min", "time-max", "rss-min", "rss-max", "failed"])
        for row in session.rows:
            for name, cell in row.cells.items():
                spans = [f(cell.values(k)) if cell.values(k) else ""
                         for k in (TIME, PEAK) for f in (min, max)]
                out.writerow([row.name, name, *(cell.median(k) for _, k in CSV_KEYS),
                              *spans, cell.failed])
