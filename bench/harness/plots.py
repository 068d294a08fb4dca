"""Draws the report's pictures with gnuplot, as SVG text to be put into the page."""

import re
import subprocess
import zlib

COLOURS = {"glibc": "#8a8f98", "myalloc": "#e03131", "jemalloc": "#1c7ed6", "mimalloc": "#2f9e44",
           "tcmalloc": "#f08c00", "tbb": "#9c36b5", "scudo": "#a9744f"}
SPARE_COLOURS = ["#0ca678", "#c2255c", "#74b816", "#4263eb"]
CLIP = 2.5  # ratios above are cut and written as numbers
FONT = "sans-serif,13"


def colour(name, names):
    """The colour of an allocator: its own, or one of the spare ones for those given by path."""
    others = [n for n in names if n not in COLOURS]
    return COLOURS.get(name) or SPARE_COLOURS[others.index(name) % len(SPARE_COLOURS)]


def _gnuplot(script, width, height):
    """Runs a script; black becomes the page's text colour, so that it follows light and dark."""
    head = (f"set terminal svg size {width},{height} dynamic font '{FONT}' noenhanced\n"
            "set encoding utf8\nset border 3 lw 0.7\nset tics nomirror out scale 0.5\nunset key\n"
            "set grid y lt 1 lc rgb '#9a9a9a' lw 0.25\n")
    done = subprocess.run(["gnuplot"], input=head + script, capture_output=True,
                          encoding="utf-8", check=False)
    if done.returncode != 0:
        raise RuntimeError("gnuplot: " + done.stderr.strip())
    svg = done.stdout[done.stdout.index("<svg"):]
    svg = re.sub(r"rgb\(\s*0,\s*0,\s*0\)|(?<=[\"' ])black(?=[\"';])", "currentColor", svg)
    svg = re.sub(r"gp(Dot|Pt\d+)", rf"gp{zlib.crc32(script.encode()):08x}\1", svg)  # unique ids
    return re.sub(r"<title>.*?</title>", "", svg, flags=re.DOTALL)


def _block(name, lines):
    return f"${name} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def _quoted(text):
    return "'" + text.replace("'", "''") + "'"


def ratio_bars(rows, names, key, title):
    """Bars relative to glibc, a group for each row; whiskers: the fastest and slowest run."""
    width = 0.84 / len(names)
    script, bars, labels = "", [], []
    for i, name in enumerate(names):
        lines = []
        for x, row in enumerate(rows):
            ratio = row.ratio(name, key)
            if ratio is None:
                continue
            base = row.cells["glibc"].median(key)
            values = [v / base for v in row.cells[name].values(key)]
            at = x + (i - (len(names) - 1) / 2) * width
            lines.append(f"{at} {min(ratio, CLIP)} {min(min(values), CLIP)} "
                         f"{min(max(values), CLIP)}")
            if ratio > CLIP:
                labels.append(f"set label {_quoted(f'{ratio:.1f}')} at {at},{CLIP + 0.04} left "
                              f"rotate by 90 font ',10'")
        if lines:
            shade = colour(name, names)
            script += _block(f"d{i}", lines)
            bars += [f"$d{i} using 1:2:({width * 0.92}) with boxes fs solid noborder "
                     f"lc rgb '{shade}'",
                     f"$d{i} using 1:3:(0):($4-$3) with vectors nohead lw 0.8 lc rgb '#000000'"]
    tics = ", ".join(f"{_quoted(row.name)} {x}" for x, row in enumerate(rows))
    script += "\n".join(labels) + f"""
set title {_quoted(title)} offset 0,-0.5
set xtics ({tics}) rotate by -28 left
set xrange [-0.6:{len(rows) - 0.4}]
set yrange [0:{CLIP + 0.3}]
set arrow from graph 0, first 1 to graph 1, first 1 nohead lw 1 lc rgb '#000000' dt 2
plot {', '.join(bars)}
"""
    return _gnuplot(script, 1100, 330)


# How a label may lie beside its point, and where its box begins, in label widths and heights.
PLACES = [("left offset 1,0", 0.1, -0.5), ("right offset -1,0", -1.1, -0.5),
          ("center offset 0,1", -0.5, 0.5), ("center offset 0,-1", -0.5, -1.5),
          ("left offset 0.8,0.8", 0.1, 0.3), ("left offset 0.8,-0.8", 0.1, -1.3)]
LETTER_WIDTH, LABEL_HEIGHT = 0.0085, 0.055  # shares of the picture


def _label_places(points):
    """{name: place}, so that no label lies on another point or label. Coordinates are 0 to 1."""
    boxes = [(x - 0.008, y - 0.02, x + 0.008, y + 0.02) for x, y in points.values()]
    chosen = {}
    for name, (x, y) in sorted(points.items(), key=lambda item: item[1]):
        width = LETTER_WIDTH * len(name)
        candidates = [(place, (x + dx * width, y + dy * LABEL_HEIGHT,
                               x + (dx + 1) * width, y + (dy + 1) * LABEL_HEIGHT))
                      for place, dx, dy in PLACES]
        chosen[name], box = min(candidates, key=lambda c: sum(
            c[1][0] < b[2] and b[0] < c[1][2] and c[1][1] < b[3] and b[1] < c[1][3]
            for b in boxes))
        boxes.append(box)
    return chosen


def scatter(points, names):
    """points: {name: (time, rss)}. The line joins those that nobody beats in both."""
    front = sorted(p for p in points.values()
                   if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points.values()))
    script = _block("front", [f"{t} {r}" for t, r in front])
    drawn = ["$front with lines lw 1.5 dt 2 lc rgb '#000000'"]
    high_t = max(t for t, _ in points.values())
    high_r = max(r for _, r in points.values())
    places = _label_places({n: (t / high_t, r / high_r) for n, (t, r) in points.items()})
    for i, (name, (time, rss)) in enumerate(points.items()):
        script += _block(f"p{i}", [f"{time} {rss} {name}"])
        drawn += [f"$p{i} using 1:2 with points pt 7 ps 1.3 lc rgb '{colour(name, names)}'",
                  f"$p{i} using 1:2:3 with labels {places[name]} tc rgb '#000000'"]
    script += f"""
set xlabel 'time, geometric mean, glibc = 1'
set ylabel 'peak RSS, geometric mean, glibc = 1'
set grid x y
set xrange [0:{high_t * 1.2}]
set yrange [0:{high_r * 1.15}]
plot {', '.join(drawn)}
"""
    return _gnuplot(script, 1100, 440)


def memory_over_time(curves, live, names, title):
    """curves: {name: [(seconds, MiB)]}; live: the same list for the live bytes, dashed."""
    script, drawn = "", []
    for i, (name, points) in enumerate(curves.items()):
        script += _block(f"c{i}", [f"{t} {m}" for t, m in points])
        thick = 2.4 if name == "myalloc" else 1.4
        drawn.append(f"$c{i} with lines lw {thick} lc rgb '{colour(name, names)}'")
    script += _block("live", [f"{t} {m}" for t, m in live])
    drawn.append("$live with lines lw 1.6 dt 2 lc rgb '#000000'")
    script += f"""
set title {_quoted(title)} offset 0,-0.5
set xlabel 'seconds'
set ylabel 'RSS, MiB'
set xrange [0:*]
set yrange [0:*]
plot {', '.join(drawn)}
"""
    return _gnuplot(script, 1100, 330)


def scaling(families, names):
    """families: {family: {name: [(threads, million operations a second)]}}, a panel for each."""
    script = f"set multiplot layout 1,{len(families)}\nset logscale x 2\nset xtics (1, 2, 8, 32)\n"
    script += "set xrange [0.8:40]\nset yrange [0:*]\nset xlabel 'threads'\n"
    for panel, (family, lines) in enumerate(families.items()):
        drawn = []
        for i, (name, points) in enumerate(lines.items()):
            script += _block(f"s{panel}x{i}", [f"{t} {m}" for t, m in points])
            drawn.append(f"$s{panel}x{i} with linespoints pt 7 ps 0.6 lw 1.6 "
                         f"lc rgb '{colour(name, names)}'")
        label = "million operations a second" if panel == 0 else ""
        script += f"set title '{family}'\nset ylabel '{label}'\nplot {', '.join(drawn)}\n"
    return _gnuplot(script + "unset multiplot\n", 1100, 300)


LATENCY_TICS = ("'1 ns' 1, '10 ns' 10, '100 ns' 100, '1 µs' 1e3, '10 µs' 1e4, '100 µs' 1e5, "
                "'1 ms' 1e6, '10 ms' 1e7, '100 ms' 1e8")
LATENCY_POINTS = ["p50", "p99", "p999", "max"]


def latency(row, names):
    """Percentiles of single calls, malloc left and free right, on a logarithmic scale."""
    script = (f"set multiplot layout 1,2\nset logscale y\nset yrange [1:*]\n"
              f"set ytics ({LATENCY_TICS})\nset mytics 1\n"
              "set xtics ('p50' 0, 'p99' 1, 'p99.9' 2, 'max' 3)\nset xrange [-0.3:3.3]\n")
    for panel, call in enumerate(("malloc", "free")):
        drawn = []
        for i, name in enumerate(names):
            values = [row.cells[name].median(f"{call}_{point}_ns") for point in LATENCY_POINTS]
            if None in values:
                continue
            script += _block(f"l{panel}x{i}",
                             [f"{x} {max(value, 1)}" for x, value in enumerate(values)])
            drawn.append(f"$l{panel}x{i} with linespoints pt 7 ps 0.7 lw 1.6 "
                         f"lc rgb '{colour(name, names)}'")
        script += f"set title '{row.name}: {call}'\n"
        script += f"plot {', '.join(drawn)}\n" if drawn else ""
    return _gnuplot(script + "unset multiplot\n", 1100, 320)
