"""Runs real programs under glibc, under libmyalloc.so and under the other allocators installed.

A case is a file of test/compat/cases. It runs in an empty directory, once with each allocator; its
standard output and exit status must be those that it has with glibc, and every program that the
case names must have been served by the allocator: a probe preloaded behind it notes, in each
process, which file malloc comes from. The head of a case says, in lines "# key: value":

  needs     what must be there: commands, or files by their paths; else the case is skipped
  packages  the Debian packages that bring them, for compat-setup
  serves    programs that must have had their malloc from the allocator
  own       programs that bring a malloc of their own, which must win; those of others are faults
  timeout   seconds, 60 by default
  quick     yes: short enough for --quick
"""

import argparse
import ctypes
import dataclasses
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "bench"))

from harness import allocators  # noqa: E402 (the path to it is set above)

PASS, OWN, FAIL, SKIP = "pass", "own", "FAIL", "skip"
PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin:/usr/games"
PR_SET_CHILD_SUBREAPER = 36
SHOWN_LINES = 6


@dataclasses.dataclass
class Case:
    name: str
    path: str
    title: str
    needs: list
    packages: list
    serves: list
    own: list
    timeout: int
    quick: bool


@dataclasses.dataclass
class Run:
    """What one run of a case left behind."""

    status: object  # exit status, negative for a signal, "timeout"
    output: bytes
    errors: str
    served: list  # of (program, file that malloc comes from)
    notes: list
    seconds: float


@dataclasses.dataclass
class Result:
    outcome: str
    reason: str
    notes: list
    seconds: float


def read_case(path):
    name = os.path.basename(path).removesuffix(".sh")
    title, keys = "", {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                break
            found = re.match(r"# (\w+): (.*)", line)
            if found:
                keys[found[1]] = found[2].strip()
            elif not title:
                title = line[2:].strip().removeprefix(name + ".sh - ")
    unknown = set(keys) - {"needs", "packages", "serves", "own", "timeout", "quick"}
    if unknown:
        sys.exit(f"{path}: unknown keys: {unknown}")

    def words(key):
        return keys.get(key, "").split()

    return Case(name, path, title, words("needs"), words("packages"), words("serves"),
                words("own"), int(keys.get("timeout", "60")), keys.get("quick") == "yes")


def missing(case):
    """What the case needs and the machine lacks."""
    return [need for need in case.needs
            if not (os.path.exists(need) if "/" in need else shutil.which(need, path=PATH))]


# ---- one run ----


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def descendants():
    """The processes that came from this one, daemons too: it adopts those whose parents ended."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                parents[int(entry)] = int(file.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    found, layer = [], {os.getpid()}
    while layer:
        layer = {pid for pid, parent in parents.items() if parent in layer}
        found += layer
    return found


def end_descendants():
    for _ in range(50):
        pids = descendants()
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        time.sleep(0.02)


def environment(stage, preload, probe):
    """The surroundings of a case: nothing of the caller's but the allocators' own options."""
    kept = {key: value for key, value in os.environ.items() if key.startswith("MYALLOC_")}
    return kept | {
        "PATH": PATH, "HOME": f"{stage}/run", "TMPDIR": f"{stage}/tmp", "LC_ALL": "C.UTF-8",
        "TZ": "UTC", "TERM": "dumb", "USER": "root",
        "ALLOCATOR": preload, "PRELOAD": ":".join(filter(None, [preload, probe])),
        "PROBE": probe, "PROBE_LOG": f"{stage}/notes/probe", "NOTES": f"{stage}/notes/notes",
        "PORT": str(free_port()), "PROJECT": ROOT,
    }


def fresh_directories(stage):
    for name in "run", "notes", "tmp":
        shutil.rmtree(f"{stage}/{name}", ignore_errors=True)
        os.mkdir(f"{stage}/{name}")
        os.chmod(f"{stage}/{name}", 0o777)  # servers may run as users of their own
    for name in "probe", "notes":
        with open(f"{stage}/notes/{name}", "w", encoding="utf-8"):
            pass
        os.chmod(f"{stage}/notes/{name}", 0o666)


def lines_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


def run_case(case, preload, stage, probe):
    fresh_directories(stage)
    started = time.monotonic()
    with open(f"{stage}/out", "wb") as out, open(f"{stage}/err", "wb") as err:
        child = subprocess.Popen(["/bin/bash", f"{stage}/cases/case.sh", case.path],
                                 cwd=f"{stage}/run", env=environment(stage, preload, probe),
                                 stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                                 start_new_session=True)
        try:
            status = child.wait(case.timeout)
        except subprocess.TimeoutExpired:
            status = "timeout"
    seconds = time.monotonic() - started
    end_descendants()
    with open(f"{stage}/out", "rb") as file:
        output = file.read()
    served = [tuple(line.rsplit(" ", 1)) for line in lines_of(f"{stage}/notes/probe")]
    return Run(status, output, "\n".join(lines_of(f"{stage}/err")), served,
               lines_of(f"{stage}/notes/notes"), seconds)


# ---- judgement ----


def tail(text):
    return " | ".join(line.strip() for line in text.splitlines()[-SHOWN_LINES:] if line.strip())


def first_difference(expected, got):
    for one, other in zip(expected.splitlines(), got.splitlines()):
        if one != other:
            return f"{other[:120]!r} instead of {one[:120]!r}"
    return f"{len(got.splitlines())} lines instead of {len(expected.splitlines())}"


def escaped(case, run, allocator):
    """Programs whose malloc came from elsewhere, though nobody said that they bring their own."""
    return sorted({f"{program} by {os.path.basename(file)}" for program, file in run.served
                   if not allocator.serves(file) and program not in case.own})


def fault(case, base, run, allocator):
    """Why a run is not as it must be; None when it is."""
    if run.status == "timeout":
        return f"not done in {case.timeout} s: {tail(run.errors)}"
    if run.status != base.status:
        said = tail(run.errors) or tail(run.output.decode(errors="replace"))
        return f"exit status {run.status}: {said}"
    if run.output != base.output:
        return f"output: {first_difference(base.output, run.output)}: {tail(run.errors)}"
    if allocator.name == allocators.MYALLOC and "myalloc: " in run.errors:
        return f"complaint: {tail(run.errors)}"
    served = {program for program, file in run.served if allocator.serves(file)}
    unserved = [program for program in case.serves if program not in served]
    if unserved:
        return f"not served: {' '.join(unserved)}"
    other = escaped(case, run, allocator)
    return f"malloc of others: {', '.join(other)}" if other else None


def judge(case, base, run, allocator):
    reason = fault(case, base, run, allocator)
    if reason:
        return Result(FAIL, reason, run.notes, run.seconds)
    if case.own and not case.serves:
        return Result(OWN, "", run.notes, run.seconds)
    return Result(PASS, "", run.notes, run.seconds)


def skipped(reason):
    return Result(SKIP, reason, [], 0.0)


# ---- the matrix ----


class Matrix:
    def __init__(self, options, stage):
        self.options = options
        self.stage = stage
        self.probe = self.build_probe()
        self.found, self.lacking = allocators.find(options.allocators, ROOT)
        self.found = [self.copied(one) for one in self.found if one.name != allocators.GLIBC]
        self.results = {}  # case name -> {allocator name -> Result}

    def build_probe(self):
        path = f"{self.stage}/probe.so"
        subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o", path,
                        f"{ROOT}/test/preload/probe.c"], check=True)
        return path

    def copied(self, one):
        """Our own library as a copy: it may be rebuilt meanwhile, and any user can read it."""
        if one.name != allocators.MYALLOC:
            return one
        path = f"{self.stage}/libmyalloc.so"
        shutil.copy(self.options.library or one.preload, path)
        os.chmod(path, 0o755)
        return dataclasses.replace(one, preload=path)

    def run(self, case):
        row = self.results[case.name] = {}
        lacks = missing(case)
        if lacks:
            row.update({one.name: skipped(f"not installed: {' '.join(lacks)}")
                        for one in self.found})
            return
        base = run_case(case, "", self.stage, self.probe)
        if base.status != 0:
            reason = (f"fails with glibc too, status {base.status}: {tail(base.errors)} "
                      f"{tail(base.output.decode(errors='replace'))}")
            row.update({one.name: skipped(reason) for one in self.found})
            return
        row[allocators.GLIBC] = Result(PASS, "", base.notes, base.seconds)
        if self.options.show:
            print(base.output.decode(errors="replace"), base.errors, base.served, base.notes,
                  f"{base.seconds:.1f} s", sep="\n")
        for one in self.found:
            run = run_case(case, one.preload, self.stage, self.probe)
            row[one.name] = judge(case, base, run, one)
            if self.options.show:
                print(one.name, row[one.name], run.errors, sorted(set(run.served)), sep="\n")

    def print_row(self, case):
        cells = "".join(f"{self.results[case.name][one.name].outcome:>10}" for one in self.found)
        seconds = sum(result.seconds for result in self.results[case.name].values())
        print(f"{case.name:<24}{cells}  {seconds:6.1f} s  {case.title}", flush=True)

    def print_reasons(self):
        for outcome, heading in ((FAIL, "Failures"), (SKIP, "Skipped")):
            lines = [f"  {name}, {allocator}: {result.reason}"
                     for name, row in self.results.items() for allocator, result in row.items()
                     if result.outcome == outcome]
            if lines:
                print(f"\n{heading}", *lines, sep="\n")
        notes = [f"  {name}, {allocator}: {'; '.join(result.notes)}"
                 for name, row in self.results.items() for allocator, result in row.items()
                 if result.notes]
        if notes:
            print("\nNotes", *notes, sep="\n")

    def print_only_ours(self):
        """What runs under the library and fails under others; "every" when nobody else runs it."""
        lines = []
        for name, row in self.results.items():
            ours = row.get(allocators.MYALLOC)
            failing = [other for other, result in row.items() if result.outcome == FAIL]
            if ours and ours.outcome in (PASS, OWN) and failing:
                every = len(failing) == len(self.found) - 1
                lines.append(f"  {name:<22}{'every other: ' if every else ''}{' '.join(failing)}")
        if lines:
            print("\nRun under myalloc, fail under", *lines, sep="\n")

    def count(self, allocator, outcome):
        return sum(row.get(allocator) is not None and row[allocator].outcome == outcome
                   for row in self.results.values())

    def print_counts(self):
        print(f"\n{'of ' + str(len(self.results)) + ' cases':<24}"
              + "".join(f"{one.name:>10}" for one in self.found))
        meanings = {PASS: "same output, served", OWN: "same output, own malloc",
                    FAIL: "FAILED", SKIP: "skipped"}
        for outcome, meaning in meanings.items():
            print(f"{meaning:<24}"
                  + "".join(f"{self.count(one.name, outcome):>10}" for one in self.found))
        for name, reason in self.lacking.items():
            print(f"{name}: {reason}")

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({
                "allocators": {one.name: one.version for one in self.found},
                "lacking": self.lacking,
                "cases": {name: {allocator: dataclasses.asdict(result)
                                 for allocator, result in row.items()}
                          for name, row in self.results.items()},
            }, file, indent=1)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help="names of cases; none: all")
    parser.add_argument("--quick", action="store_true", help="only the short ones")
    parser.add_argument("--allocators", type=lambda text: text.split(","), default=[],
                        help="comma-separated: myalloc, a rival's name, or a path; default: all")
    parser.add_argument("--library", help="the file to take for libmyalloc.so")
    parser.add_argument("--json", help="also write the results to this file")
    parser.add_argument("--show", action="store_true", help="print what the runs print")
    parser.add_argument("--list", action="store_true", help="only list the cases")
    parser.add_argument("--packages", action="store_true", help="only list the Debian packages")
    return parser.parse_args()


def chosen_cases(options):
    cases = [read_case(f"{HERE}/cases/{name}") for name in sorted(os.listdir(f"{HERE}/cases"))
             if name.endswith(".sh")]
    unknown = set(options.cases) - {case.name for case in cases}
    if unknown:
        sys.exit(f"no such case: {' '.join(sorted(unknown))}")
    return [case for case in cases
            if (not options.cases or case.name in options.cases)
            and (not options.quick or case.quick)]


def main():
    options = parse_arguments()
    cases = chosen_cases(options)
    if options.packages:
        print(*sorted({package for case in cases for package in case.packages}), sep="\n")
        return 0
    if options.list:
        for case in cases:
            print(f"{case.name:<24}{case.title}")
        return 0
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    stage = tempfile.mkdtemp(prefix="compat-")
    os.chmod(stage, 0o755)
    try:
        # From copies: bash reads a script as it runs, and somebody may be changing it.
        shutil.copytree(f"{HERE}/cases", f"{stage}/cases")
        shutil.copy(f"{HERE}/case.sh", f"{stage}/cases/case.sh")
        for case in cases:
            case.path = f"{stage}/cases/{case.name}.sh"
        matrix = Matrix(options, stage)
        print(f"{'':<24}" + "".join(f"{one.name:>10}" for one in matrix.found))
        for case in cases:
            matrix.run(case)
            matrix.print_row(case)
        matrix.print_reasons()
        matrix.print_only_ours()
        matrix.print_counts()
        if options.json:
            matrix.write(options.json)
    finally:
        end_descendants()
        shutil.rmtree(stage, ignore_errors=True)
    if allocators.MYALLOC in matrix.lacking:
        return 1
    return 1 if matrix.count(allocators.MYALLOC, FAIL) else 0


if __name__ == "__main__":
    sys.exit(main())
