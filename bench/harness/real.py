"""Real programs of Debian on generated inputs, as rows like the workloads."""

import os
import re
import shutil
import subprocess
import tempfile
import time

from harness import inputs
from harness.measure import Command, Failed
from harness.suite import Row

REDIS_REQUESTS = 100_000
REDIS_START_SECONDS = 20
REDIS_KEYS = 1_000_000
REST_SECONDS = 10


def _first(*names):
    """The first of these programs that exists; Debian's own place goes before PATH."""
    for name in names:
        path = os.path.join("/usr/bin", name)
        found = path if os.access(path, os.X_OK) else shutil.which(name)
        if found:
            return found
    return None


def _output(*command):
    return subprocess.run(command, capture_output=True, check=False).stdout.decode().strip()


def _redis_requests(cli, socket):
    """A mixed load."""
    begin = time.monotonic()
    _output(_first("redis-benchmark"), "-s", socket, "-q", "-n", str(REDIS_REQUESTS), "-r",
            "100000", "-d", "100", "-P", "8", "-t", "set,get,lpush,hset,zadd")
    figures = {"seconds": time.monotonic() - begin}
    script = "redis.call('set','k',string.rep('v',99999)); return #redis.call('get','k')"
    if _output(*cli, "eval", script, "0") != "99999":
        raise Failed("redis-server gave a wrong answer")
    return figures


def _redis_flush(cli, _socket):
    """A million keys, FLUSHALL ASYNC, and a rest."""
    begin = time.monotonic()
    script = (f"for i = 1, {REDIS_KEYS} do redis.call('set', 'key:' .. i, "
              "string.rep('v', i % 200)) end return redis.call('dbsize')")
    if _output(*cli, "eval", script, "0") != str(REDIS_KEYS):
        raise Failed("redis-server gave a wrong answer")
    _output(*cli, "flushall", "async")
    seconds = time.monotonic() - begin
    time.sleep(REST_SECONDS)
    rss = re.search(r"^used_memory_rss:(\d+)", _output(*cli, "info", "memory"), re.MULTILINE)
    return {"seconds": seconds, "rss_after_kib": int(rss.group(1)) / 1024}


def _redis_client(directory, load):
    """Drives redis-server from outside (unpreloaded) with a load, and stops it."""
    def drive():
        socket = os.path.join(directory.name, "s")
        cli = [_first("redis-cli"), "-s", socket]
        started = time.monotonic()
        while subprocess.run([*cli, "ping"], capture_output=True, check=False).returncode:
            if time.monotonic() - started > REDIS_START_SECONDS:
                raise Failed("redis-server does not answer")
            time.sleep(0.02)
        try:
            return load(cli, socket)
        finally:
            _output(*cli, "shutdown", "nosave")

    return drive


def _redis(load):
    def command(program, _data):
        directory = tempfile.TemporaryDirectory()  # removed when the program ends
        socket = os.path.join(directory.name, "s")
        return Command([program, "--port", "0", "--unixsocket", socket, "--save", "", "--dir",
                        directory.name], client=_redis_client(directory, load), brings_own=True,
                       timeout=120)

    return command


# name: (programs that will do, function of (program, path-of-input) that gives the command)
PROGRAMS = {
    "gcc": (["gcc"], lambda p, data: Command([p, "-O2", "-S", "-o", "-", data("large.c")])),
    "clang": (["clang", "clang-14"],
              lambda p, data: Command([p, "-O2", "-S", "-o", "-", data("large.c")])),
    "python3": (["python3"],
                lambda p, data: Command([p, data("work.py"), data("records.json")],
                                        env={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"})),
    "perl": (["perl"], lambda p, data: Command([p, data("work.pl")],
                                               env={"PERL_HASH_SEED": "0"})),
    "sqlite3": (["sqlite3"], lambda p, data: Command([p, ":memory:"], stdin=data("work.sql"))),
    "git": (["git"], lambda p, data: Command([p, "-C", data("history.git"), "repack", "-adfq",
                                              "--depth=50", "--window=50", "--threads=2"])),
    "redis": (["redis-server"], _redis(_redis_requests)),
    "lua": (["lua5.4", "lua"], lambda p, data: Command([p, data("work.lua")])),
    "node": (["node", "nodejs"],
             lambda p, data: Command([p, data("work.js"), data("records.json")])),
    "ruby": (["ruby"], lambda p, data: Command([p, data("work.rb")])),
    "ghostscript": (["gs"], lambda p, data: Command(
        [p, "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pgmraw", "-r72", "-sOutputFile=-",
         data("pages.ps")])),
    "z3": (["z3"], lambda p, data: Command([p, data("formula.smt2")])),
    # What is resident ten seconds after the load; each script says so itself.
    "redis-flush": (["redis-server"], _redis(_redis_flush)),
    "python3-rest": (["python3"], lambda p, data: Command(
        [p, data("rest.py")], env={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"})),
    "ruby-rest": (["ruby"], lambda p, data: Command([p, data("rest.rb")])),
    "perl-rest": (["perl"], lambda p, data: Command([p, data("rest.pl")])),
    "php-rest": (["php"], lambda p, data: Command([p, data("rest.php")],
                                                  env={"USE_ZEND_ALLOC": "0"})),
    "xz": (["xz"], lambda p, data: Command([p, "-T2", "-1", "-k", "-c", data("words.txt")])),
}


def rows(build, names):
    """(rows, {program: why it is skipped}) for the programs asked for; no names: all."""
    directory = os.path.join(build, "inputs")
    chosen, skipped = [], {}
    for name in names or PROGRAMS:
        if name not in PROGRAMS:
            skipped[name] = "no such program in the list: " + " ".join(PROGRAMS)
            continue
        candidates, command = PROGRAMS[name]
        program = _first(*candidates)
        if program is None:
            skipped[name] = "not installed (make bench-setup)"
            continue
        chosen.append(Row(name, name, 1, command(program, lambda f: inputs.ensure(directory, f))))
    return chosen, skipped
