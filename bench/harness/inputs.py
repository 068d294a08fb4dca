"""Inputs for the real programs, generated once into the build directory, always the same."""

import os
import random
import subprocess

SEED = 20240601
C_FUNCTIONS = 120
JSON_RECORDS = 300_000  # of seven values each: two million objects
COMMITS = 3000
XZ_MIB = 12
PAGES = 30
LINES_PER_PAGE = 60
HOLES = 9


def _words(rng, count):
    return " ".join(f"{rng.choice('bcdfglmnprst')}{rng.choice('aeiou')}{rng.randrange(100)}"
                    for _ in range(count))


C_PRELUDE = """
#include <stdlib.h>
#include <string.h>
struct item { struct item *next; double weight; int kind; char name[16]; };
extern int report(const char *text, double value);
"""

C_FUNCTION = """
double f{i}(struct item *list, const int *table, int n)
{{
    double sum = {a}.5; int best = {b};
    for (struct item *it = list; it; it = it->next) {{
        switch (it->kind % {m}) {{
        case 0: sum += it->weight * {c}; break;
        case 1: sum -= table[(it->kind + {a}) % n] / {d}.0; best ^= it->kind; break;
        case 2: if (strncmp(it->name, "k{i}", 4) == 0) best += {b}; break;
        default: for (int j = 0; j < n; j += {d}) sum += table[j] * it->weight + best % (j + 1);
        }}
        for (int j = 0; j + 4 < n; j++)
            best = best * 31 + (table[j] ^ table[j + {e}]) - (best >> {e});
    }}
    return best > {a} ? sum{call} : report("f{i}", sum);
}}
"""


def large_c(path):
    rng = random.Random(SEED)
    with open(path, "w", encoding="ascii") as out:
        out.write(C_PRELUDE)
        for i in range(C_FUNCTIONS):
            call = f" + f{rng.randrange(i)}(list, table, n / 2)" if i else ""
            out.write(C_FUNCTION.format(
                i=i, a=rng.randrange(99), b=rng.randrange(999), c=rng.randrange(1, 9),
                d=rng.randrange(1, 7), e=rng.randrange(1, 5), m=rng.randrange(3, 9), call=call))
        last = C_FUNCTIONS - 1
        out.write(f"double all(struct item *l, int *t, int n) {{ return f{last}(l, t, n); }}\n")


def records_json(path):
    rng = random.Random(SEED)
    with open(path, "w", encoding="ascii") as out:
        out.write("[\n")
        for i in range(JSON_RECORDS):
            end = "," if i + 1 < JSON_RECORDS else ""
            out.write(f'{{"id": {i}, "name": "{_words(rng, 2)}", "score": {rng.random():.6f}, '
                      f'"tags": ["{_words(rng, 1)}", "{_words(rng, 1)}"]}}{end}\n')
        out.write("]\n")


def compressible(path):
    rng = random.Random(SEED)
    vocabulary = _words(rng, 5000).split()
    with open(path, "w", encoding="ascii") as out:
        while out.tell() < XZ_MIB << 20:
            out.write(" ".join(rng.choices(vocabulary, k=2000)) + "\n")


def repository(path):
    """A git repository with a history of small changes to a few hundred files."""
    rng = random.Random(SEED)
    subprocess.run(["git", "init", "-q", "--bare", path], check=True)
    texts = [[_words(rng, 8) for _ in range(60)] for _ in range(300)]
    stream = []
    for i in range(COMMITS):
        stream.append(f"commit refs/heads/main\ncommitter bench <bench> {1700000000 + i} +0000\n"
                      f"data 2\nc\n")
        for number in rng.sample(range(len(texts)), 4):
            text = texts[number]
            text[rng.randrange(len(text))] = _words(rng, 8)
            body = "\n".join(text)
            stream.append(f"M 100644 inline dir{number % 17}/file{number}\n"
                          f"data {len(body)}\n{body}\n")
    subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input="".join(stream),
                   text=True, check=True)


def pages_ps(path):
    rng = random.Random(SEED)
    with open(path, "w", encoding="ascii") as out:
        out.write("%!PS\n/line { moveto show } def\n")
        for page in range(PAGES):
            for line in range(LINES_PER_PAGE):
                size = rng.randrange(7, 13)
                out.write(f"/Times-Roman findfont {size} scalefont setfont ({_words(rng, 12)}) "
                          f"40 {760 - 12 * line} line\n")
            for i in range(400):
                x, y, z, w = (rng.randrange(600) for _ in range(4))
                out.write(f"{i % 10 / 10} setgray newpath {x} {y} moveto {z} {w} {y} {x} {w} {z} "
                          f"curveto stroke\n")
            out.write(f"/d{page} 2000 dict def 0 1 1999 {{ dup 20 string cvs d{page} exch 3 -1 "
                      f"roll put }} for\nshowpage\n")


def formula_smt2(path):
    """Pigeons and one hole too few: needs exponentially many learnt clauses to refute."""
    pigeons = range(HOLES + 1)
    with open(path, "w", encoding="ascii") as out:
        for i in pigeons:
            out.writelines(f"(declare-const p{i}_{j} Bool)\n" for j in range(HOLES))
            out.write(f"(assert (or {' '.join(f'p{i}_{j}' for j in range(HOLES))}))\n")
            out.writelines(f"(assert (or (not p{i}_{j}) (not p{k}_{j})))\n"
                           for j in range(HOLES) for k in range(i))
        out.write("(check-sat)\n")


def _text(content):
    def write(path):
        with open(path, "w", encoding="ascii") as out:
            out.write(content)
    return write


PYTHON = """\
import json, sys
with open(sys.argv[1]) as file:
    records = json.load(file)
by_name = {}
for record in records:
    by_name.setdefault(record["name"], []).append(record)
print(len(by_name), len(json.dumps(records)))
"""

PERL = """\
my (%h, $sum);
for my $i (1 .. 300_000) { $h{"key-" . ($i * 7919 % 1_000_003)} = "value $i " . "x" x ($i % 40) }
for my $k (keys %h) { $sum += length $h{$k}; delete $h{$k} if $sum % 3 }
my @sorted = sort { $h{$a} cmp $h{$b} } keys %h;
print scalar(@sorted), " $sum\\n";
"""

SQL = """\
CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, score REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
INSERT INTO t SELECT i, 'name-' || (i * 7919 % 100003), i * 0.37 FROM n;
CREATE INDEX by_name ON t(name);
SELECT count(*), sum(c) FROM (SELECT name, count(*) AS c FROM t GROUP BY name);
SELECT sum(a.score) FROM t AS a JOIN t AS b ON a.name = b.name WHERE a.id < 100000;
UPDATE t SET name = name || '-changed' WHERE id % 3 = 0;
DELETE FROM t WHERE id % 5 = 0;
SELECT count(*), max(name) FROM t;
"""

LUA = """\
local function tree(depth)
    if depth == 0 then return {name = "leaf" .. depth} end
    return {left = tree(depth - 1), right = tree(depth - 1), name = "node" .. depth}
end
local function count(t) return t.left and 1 + count(t.left) + count(t.right) or 1 end
local total = 0
for i = 1, 12 do total = total + count(tree(15)) end
local words = {}
for i = 1, 300000 do words[#words + 1] = "w" .. (i * 7919 % 10007) .. string.rep("y", i % 20) end
table.sort(words)
print(total, #table.concat(words, " "))
"""

NODE = """\
const records = JSON.parse(require('fs').readFileSync(process.argv[2]));
const map = new Map();
for (const r of records) map.set(r.name, Buffer.from(r.name + r.score));
let bytes = 0;
for (const b of map.values()) bytes += b.length;
console.log(map.size, bytes, JSON.stringify(records).length);
"""

RUBY = """\
words = Hash.new(0)
600_000.times { |i| words["word-#{i * 7919 % 50_021}"] += 1 }
objects = Array.new(400_000) { |i| { id: i, name: "n" * (i % 50), list: [i, i + 1] } }
objects.select! { |o| o[:id].odd? }
text = objects.map { |o| "#{o[:id]}:#{o[:name]}" }.join(",")
puts words.size, objects.size, text.size
"""

# Scripts that work, drop what they made, rest for ten seconds, and say what is then resident.
PYTHON_REST = """\
import sys, threading, time
begin = time.monotonic()
sums = []
def work(seed):
    kept = [{"id": i, "text": "t" * (i * seed % 90), "list": [i, i + 1]} for i in range(150000)]
    sums.append(sum(len(k["text"]) for k in kept))
threads = [threading.Thread(target=work, args=(s,)) for s in (3, 5, 7, 11)]
for t in threads: t.start()
for t in threads: t.join()
print(sorted(sums))
seconds = time.monotonic() - begin
time.sleep(10)
with open("/proc/self/smaps_rollup") as file:
    rss = [l.split()[1] for l in file if l.startswith("Rss:")][0]
print(f"rested seconds={seconds} rss_after_kib={rss}", file=sys.stderr)
"""

RUBY_REST = """\
begun = Process.clock_gettime(Process::CLOCK_MONOTONIC)
sums = [3, 5, 7, 11].map do |seed|
  Thread.new do
    kept = Array.new(150_000) { |i| { id: i, text: "t" * (40 + i * seed % 90), list: [i, i + 1] } }
    kept.sum { |k| k[:text].size }
  end
end.map(&:value)
puts sums.inspect
GC.start
seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC) - begun
sleep 10
rss = File.read("/proc/self/smaps_rollup")[/^Rss: +([0-9]+)/, 1]
warn "rested seconds=#{seconds} rss_after_kib=#{rss}"
"""

PERL_REST = """\
use Time::HiRes qw(time sleep);
my $begin = time;
for my $round (1 .. 3) {
    my %h;
    for my $i (1 .. 250_000) { $h{"key-$i"} = [$i, "value $i " . "x" x ($i % 60)] }
    print scalar(keys %h), "\\n";
}
my $seconds = time - $begin;
sleep 10;
open my $file, "<", "/proc/self/smaps_rollup";
my ($rss) = map { /^Rss: +(\\d+)/ } <$file>;
print STDERR "rested seconds=$seconds rss_after_kib=$rss\\n";
"""

PHP_REST = """\
<?php
ini_set("memory_limit", "-1");
$begin = microtime(true);
for ($round = 0; $round < 4; $round++) {
    $rows = [];
    for ($i = 0; $i < 400000; $i++) {
        $rows["key-$i"] = ["id" => $i, "text" => str_repeat("x", $i % 60), "list" => [$i, $i + 1]];
    }
    $sum = 0;
    for ($i = 0; $i < 2000000; $i++) {
        $sum += strlen($rows["key-" . ($i * 7919 % 400000)]["text"]);
    }
    print(count($rows) . " $sum\\n");
    unset($rows);
}
$seconds = microtime(true) - $begin;
sleep(10);
preg_match('/^Rss: +([0-9]+)/m', file_get_contents("/proc/self/smaps_rollup"), $found);
fwrite(STDERR, "rested seconds=$seconds rss_after_kib=$found[1]\\n");
"""

FILES = {
    "large.c": large_c,
    "records.json": records_json,
    "words.txt": compressible,
    "history.git": repository,
    "pages.ps": pages_ps,
    "formula.smt2": formula_smt2,
    "work.py": _text(PYTHON),
    "work.pl": _text(PERL),
    "work.sql": _text(SQL),
    "work.lua": _text(LUA),
    "work.js": _text(NODE),
    "work.rb": _text(RUBY),
    "rest.py": _text(PYTHON_REST),
    "rest.rb": _text(RUBY_REST),
    "rest.pl": _text(PERL_REST),
    "rest.php": _text(PHP_REST),
}


def ensure(directory, name):
    """The path of an input, generated when it is not there or older than this file."""
    path = os.path.join(directory, name)
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(__file__):
        os.makedirs(directory, exist_ok=True)
        part = path + ".part"
        subprocess.run(["rm", "-rf", path, part], check=True)
        FILES[name](part)
        os.replace(part, path)
        os.utime(path)
    return path
