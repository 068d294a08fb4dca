"""Runs one command under one allocator and returns what it cost."""

import dataclasses
import hashlib
import os
import re
import subprocess
import tempfile

ERROR_TEXT_LIMIT = 300


class Failed(Exception):
    """The command crashed, found wrong contents, or ran under another allocator than asked."""


@dataclasses.dataclass
class Command:
    argv: list
    env: dict = dataclasses.field(default_factory=dict)
    cwd: str = None
    brings_own: bool = False  # the program links an allocator of its own
    stdin: str = None  # a file
    timeout: float = 300
    client: object = None  # callable that drives a server while it runs; returns figures of a run


@dataclasses.dataclass
class Sampling:
    """Where the RSS over time goes, and how often it is read."""

    path: str
    interval_ms: int = 10


def parse_pairs(text):
    """{"wall": 0.1, ...} from "wall=0.1 ..."; values that are no numbers stay strings."""
    pairs = {}
    for key, value in re.findall(r"(\w+)=(\S*)", text):
        try:
            pairs[key] = float(value)
        except ValueError:
            pairs[key] = value
    return pairs


def _environment(command, allocator, probe):
    env = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "BENCH_PROBE")}
    env.update(command.env)
    if allocator.conf:
        env["MYALLOC_CONF"] = allocator.conf
    preload = [allocator.preload_for(command.brings_own)]
    if probe:
        preload.insert(0, probe[0])
        env["BENCH_PROBE"] = probe[1]
    if any(preload):
        env["LD_PRELOAD"] = ":".join(p for p in preload if p)
    return env


def _explain(outside, stderr):
    text = stderr.strip()[-ERROR_TEXT_LIMIT:].replace("\n", " | ")
    if outside["timed_out"]:
        return "ran too long: " + text
    if outside["signal"]:
        return f"killed by signal {int(outside['signal'])}: {text}"
    return f"exit status {int(outside['exit'])}: {text}"


def _drive(command):
    """The client's figures, none without a client, or the Failed it raised."""
    try:
        return command.client() if command.client else {}
    except Failed as error:
        return error


def _run_measured(launcher, command, env):
    """Returns (standard output in bytes, error text, seconds by the client)."""
    with open(command.stdin or os.devnull, "rb") as stdin, \
            tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(launcher + command.argv, stdin=stdin, stdout=out, stderr=err,
                                   env=env, cwd=command.cwd)
        driven = _drive(command)
        status = process.wait()
        out.seek(0)
        err.seek(0)
        stdout, stderr = out.read(), err.read().decode(errors="replace")
    if status != 0:
        raise Failed(f"the launcher failed: {stderr.strip()[-ERROR_TEXT_LIMIT:]}")
    return stdout, stderr, driven


def run(tool, command, allocator, probe=None, sampling=None):
    """One run. `tool` is the path of the `measure` program; `probe` is (probe.so, file to fill).

    The result has wall, user, sys, peak_kib, minor_faults, seconds; for the project's own workloads
    also what their result line says, for other programs a digest of their output. Raises Failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        outcome = os.path.join(scratch, "outcome")
        launcher = [tool, "-o", outcome, "-t", str(command.timeout)]
        if sampling:
            launcher += ["-w", sampling.path, "-i", str(sampling.interval_ms)]
        stdout, stderr, driven = _run_measured(
            [*launcher, "--"], command, _environment(command, allocator, probe))
        with open(outcome, encoding="utf-8") as file:
            outside = parse_pairs(file.read())
    if outside["exit"] != 0:
        raise Failed(_explain(outside, stderr))
    if isinstance(driven, Failed):
        raise driven
    if "ERROR: ld.so" in stderr:
        raise Failed("the loader refused the preload: " + stderr.strip()[:ERROR_TEXT_LIMIT])
    sample = {k: v for k, v in outside.items() if k not in ("exit", "signal", "timed_out")}
    sample["seconds"] = outside["wall"]
    sample.update(driven)
    rested = re.search(r"^rested (.*)$", stderr, re.MULTILINE)  # a script that rests at its end
    sample.update(parse_pairs(rested.group(1)) if rested else {})
    own = re.search(rb"^result (.*)$", stdout, re.MULTILINE)
    if own is None and command.client is None:
        sample["output"] = hashlib.sha256(stdout).hexdigest()[:16]
    if own:
        sample.update(parse_pairs(own.group(1).decode()))
        # The kernel counts the peak in steps, up to 100 KiB too low; the end's RSS is exact.
        sample["peak_kib"] = max(sample["peak_kib"], sample["rss_after_kib"])
        if not allocator.serves(sample["malloc"]):
            raise Failed(f"malloc was served by {sample['malloc']}")
    return sample


def failure(tool, command, allocator):
    """One run; None, or why it failed."""
    try:
        run(tool, command, allocator)
        return None
    except Failed as error:
        return str(error)


def verify_provider(tool, command, allocator, probe_library):
    """A run with the probe before the allocator: every program it starts must be served by it."""
    with tempfile.TemporaryDirectory() as scratch:
        report = os.path.join(scratch, "probe")
        run(tool, command, allocator, probe=(probe_library, report))
        if not os.path.exists(report):
            raise Failed("the program takes no preload (static or setuid?)")
        with open(report, encoding="utf-8") as file:
            lines = [line.split() for line in file]
    for program, provider in lines:
        if not allocator.serves(provider):
            raise Failed(f"{program}: malloc was served by {provider}")
