"""The report: one self-contained HTML page with the pictures, from the measured results."""

import html
import json
import math
import os
import tempfile

from harness import measure, memory, plots, session, suite, table
from harness.allocators import GLIBC, MYALLOC, Allocator

ROWS_PER_PICTURE = 11
SCALING_FAMILIES = ["sizes", "server", "handoff-busy", "mixed"]
OVER_TIME = {"spike": "spike: up once, all but a little freed, then idle",
             "sawtooth": "sawtooth: up and down, 20 times"}

STYLE = """
:root { color-scheme: light dark; --text: #1d2125; --page: #ffffff; --quiet: #667; --line: #d8dce2 }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e7eb; --page: #16191d; --quiet: #9aa3ad; --line: #363c44 } }
body { color: var(--text); background: var(--page); font: 16px/1.5 system-ui, sans-serif;
       max-width: 1120px; margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem } .quiet { color: var(--quiet) }
svg { width: 100%; height: auto; display: block; margin: 0.5rem 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem }
th, td { padding: 0.15rem 0.7rem; border-bottom: 1px solid var(--line); text-align: right }
th:first-child, td:first-child { text-align: left }
.scroll { overflow-x: auto }
.legend { position: sticky; top: 0; background: var(--page); padding: 0.5rem 0; z-index: 1;
          border-bottom: 1px solid var(--line) }
.legend span { margin-right: 1.2rem; white-space: nowrap }
.legend i { display: inline-block; width: 0.9em; height: 0.9em; border-radius: 2px;
            margin-right: 0.4em; vertical-align: -0.1em }
"""


def load(path):
    """A Session from a results file."""
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    rows = [session.RowResult(r["name"], r["family"], r["threads"],
                              {n: session.Cell(**c) for n, c in r["cells"].items()})
            for r in data["rows"]]
    return session.Session([Allocator(**a) for a in data["allocators"]], data["skipped"],
                           data["machine"], data["runs"], rows)


def _grid(head, lines):
    def row(cells, tag):
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in cells) + "</tr>"
    return ('<div class="scroll"><table>' + row(head, "th")
            + "".join(row(line, "td") for line in lines) + "</table></div>")


def _section(title, text, *parts):
    return f"<h2>{title}</h2>\n<p>{text}</p>\n" + "\n".join(parts)


def _legend(names):
    items = "".join(f'<span><i style="background:{plots.colour(n, names)}"></i>{html.escape(n)}'
                    "</span>" for n in names)
    return f'<div class="legend">{items}</div>'


def _caption(current):
    m = current.machine
    versions = "; ".join(f"{a.name}: {a.version}" for a in current.allocators)
    skipped = "; ".join(f"{n} ({why})" for n, why in current.skipped.items()) or "nothing"
    return (f'<p class="quiet">{html.escape(m["date"])} · {html.escape(m["cpu"])}, {m["cpus"]} '
            f'processors, {m["memory_mib"]} MiB · Linux {html.escape(m["kernel"])}, transparent '
            f'huge pages: {m["thp"]}, governor: {m["governor"]}, load at the start: '
            f'{m["load_at_start"]:.2f} · commit {html.escape(m["commit"])} · '
            f"{current.runs} interleaved runs, medians; whiskers: fastest and slowest run.<br>"
            f"{html.escape(versions)}.<br>Skipped: {html.escape(skipped)}.</p>")


def _bars(current):
    pictures = []
    count = math.ceil(len(current.rows) / ROWS_PER_PICTURE)
    for i in range(count):
        first, end = (len(current.rows) * k // count for k in (i, i + 1))
        rows = current.rows[first:end]
        for key, title in ((table.TIME, "time relative to glibc"),
                           (table.PEAK, "peak RSS relative to glibc")):
            pictures.append(plots.ratio_bars(rows, current.names(), key, title))
    return pictures


def _means(current):
    lines = []
    for key, what in ((table.TIME, "time"), (table.PEAK, "peak RSS")):
        for label, counted, means in table.mean_lines(current, key):
            lines.append([f"{what}, {label} ({counted})"] + [
                f"{mean:.2f}" + (f" ±{noise:.0%}" if noise is not None else "")
                + (f" of {count}" if count != counted else "")
                if mean else "–" for mean, noise, count in means])
    return _grid(["geometric mean", *current.names()], lines)


def _front(current):
    points = {}
    for name in current.names():
        time, rss = current.mean(name, table.TIME)[0], current.mean(name, table.PEAK)[0]
        if time and rss:
            points[name] = (time, rss)
    return plots.scatter(points, current.names()) if points else ""


def _scaling(current):
    families = {}
    for family in SCALING_FAMILIES:
        rows = [row for row in current.rows if row.family == family]
        lines = {name: [(row.threads, row.cells[name].median("mops")) for row in rows
                        if row.cells[name].median("mops")] for name in current.names()}
        if len(rows) > 1:
            families[family] = {name: points for name, points in lines.items() if points}
    return plots.scaling(families, current.names()) if families else ""


def _read_points(path):
    with open(path, encoding="utf-8") as file:
        return [tuple(float(x) for x in line.split()) for line in file]


def _sample_memory(build, row, allocator):
    """([(seconds, RSS MiB)], [(seconds, live MiB)]) of a run of its own, not a timed one."""
    with tempfile.TemporaryDirectory() as directory:
        resident, live = (os.path.join(directory, name) for name in ("resident", "live"))
        command = measure.Command([*row.command.argv, "-l", live])
        measure.run(os.path.join(build, "measure"), command, allocator,
                    sampling=measure.Sampling(resident))
        rss, notes = _read_points(resident), _read_points(live)
    start = rss[0][0]
    return ([(t - start, kib / 1024) for t, kib in rss if kib > 0],  # 0: it was ending
            [(t - start, size / 1024 ** 2) for t, size in notes])


def _over_time(build, allocators, scale):
    pictures = []
    for row in suite.rows(build, scale):
        if row.name not in OVER_TIME:
            continue
        curves, live = {}, []
        for allocator in allocators:
            try:
                curves[allocator.name], notes = _sample_memory(build, row, allocator)
            except measure.Failed:
                continue  # the table names it
            live = notes if allocator.name == GLIBC or not live else live
        if curves:
            pictures.append(plots.memory_over_time(curves, live, [a.name for a in allocators],
                                                   OVER_TIME[row.name]))
    return pictures


def _all_figures(current):
    lines = []
    for row in current.rows:
        for key, what in ((table.TIME, "time"), (table.PEAK, "peak RSS")):
            texts = [row.ratio(name, key) for name in current.names()]
            lines.append([row.name, what] + [
                "failed" if row.cells[name].failed else f"{ratio:.2f}" if ratio else "–"
                for name, ratio in zip(current.names(), texts)])
    return ("<details><summary>Every row, glibc = 1</summary>"
            + _grid(["row", "", *current.names()], lines) + "</details>")


def _losses(current):
    lines = [[name, what, f"{ratio:.2f}", rival, "within the noise" if noisy else ""]
             for key, what in ((table.TIME, "time"), (table.PEAK, "peak RSS"))
             for ratio, name, rival, noisy in table.losses(current, key)]
    if MYALLOC not in current.names():
        return "<p>libmyalloc was not built.</p>"
    return _grid(["row", "", "ours / best", "best rival", ""], lines) if lines else "<p>None.</p>"


def _failures(current):
    lines = current.failures()
    return "<h3>Failed</h3>" + _grid(["row", "allocator", "why"], lines) if lines else ""


def _kept(session):
    return _grid(["", *session.names()], [[title, *map(memory.text_of, values)]
                                          for title, *values in memory.lines_of(session)])


def page(current, others, build, scale):
    """`others`: {"real": Session, "memory": Session}, as far as they were measured."""
    names = current.names()
    latency = [plots.latency(row, names) for row in current.rows if row.family == "latency"]
    parts = [
        f"<h1>Allocators compared</h1>{_caption(current)}", _legend(names),
        _section("Time against memory", "Left is faster, lower is leaner. The dashed line joins "
                 "the allocators that nobody beats in both.", _front(current), _means(current)),
        _section("Time, and peak RSS below", f"glibc is 1, lower is better. Bars above "
                 f"{plots.CLIP} are cut and carry their value.", *_bars(current)),
        _section("Memory over time", "Dashed: the bytes that are live (in glibc's run). What stays "
                 "above them after a fall is kept from the system.",
                 *_over_time(build, current.allocators, scale)),
        _section("More threads", "The same work split over more threads, in million operations a "
                 "second; higher is better.", _scaling(current)),
        _section("The slowest calls", "Single calls of malloc and free, logarithmic. With more "
                 "threads than processors the maximum shows the scheduler.", *latency),
    ]
    if "memory" in others:
        parts.append(_section("What is kept, and what growing costs", "Medians, lower is better.",
                              _kept(others["memory"]), _failures(others["memory"])))
    if "real" in others:
        real = others["real"]
        parts.append(_section("Real programs", "Debian's, on generated inputs.", *_bars(real),
                              _means(real), _all_figures(real), _failures(real)))
    parts.append(_section("Where a rival beats libmyalloc by more than 5 %",
                          "The best rival of each row.", _losses(current)))
    parts.append(_section("All figures", "Also in results.csv and results.json.",
                          _all_figures(current), _failures(current)))
    return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>libmyalloc: allocators compared</title><style>{STYLE}</style></head><body>\n"
            + "\n".join(parts) + "\n</body></html>\n")
