"""Checks of the trace reader and the replayer: sound, cut and damaged traces."""

import os
import random
import subprocess
import tempfile

from harness import measure

OPERATIONS = 30_000
CUTS = 40
FLIPS = 60
SEGMENT_BYTES = 1 << 16
SOUND, CORRUPT = 0, 1


def _status(*command, **env):
    done = subprocess.run(command, capture_output=True, check=False, timeout=60,
                          env={**os.environ, **env})
    return done.returncode, done.stdout, done.stderr


class Checks:
    def __init__(self, build, directory):
        self.tool = os.path.join(build, "trace_tool")
        self.replay = os.path.join(build, "replay")
        self.measure = os.path.join(build, "measure")
        self.crippled = os.path.join(build, "crippled.so")
        self.trace = os.path.join(directory, "whole.trace")
        self.damaged = os.path.join(directory, "damaged.trace")
        self.outcomes = []

    def expect(self, condition, claim, details=""):
        """`details` are told when the claim does not hold."""
        self.outcomes.append((f"trace: {claim}", None if condition else details))

    def _write_damaged(self, content):
        with open(self.damaged, "wb") as file:
            file.write(content)

    def whole(self):
        status, _, _ = _status(self.tool, "gen", self.trace, "3", str(OPERATIONS), "7")
        self.expect(status == 0, "a trace is made")
        status, out, _ = _status(self.tool, "dump", self.trace)
        self.expect(status == SOUND and out.count(b"\n") == OPERATIONS,
                    "dump prints every record")
        status, out, _ = _status(self.tool, "check", self.trace)
        self.expect(status == SOUND and b"6 threads" in out
                    and b"0 frees of unknown blocks, 0 missing frees" in out,
                    "the whole trace is understood", out.decode())

    def cut(self, content, rng):
        """A trace cut at any byte is sound as far as it goes; only the header must be whole."""
        for length in [0, 1, 183, 184, SEGMENT_BYTES, SEGMENT_BYTES + 1,
                       *(rng.randrange(len(content)) for _ in range(CUTS))]:
            self._write_damaged(content[:length])
            status, _, err = _status(self.tool, "check", self.damaged)
            expected = SOUND if length >= 184 else CORRUPT
            self.expect(status == expected, f"cut at {length}, sound or refused",
                        f"status {status}, {err.decode()}")
        self._write_damaged(content[:SEGMENT_BYTES + SEGMENT_BYTES // 2])
        status, _, err = _status(self.replay, self.damaged)
        self.expect(status == SOUND and b"is cut off" in err, "replay says that a trace is cut off",
                    f"status {status}, {err.decode()}")

    def flipped(self, content, rng):
        """A changed bit is noticed in a closed segment; in others it must not crash anything."""
        for _ in range(FLIPS):
            at = rng.randrange(len(content))
            damaged = bytearray(content)
            damaged[at] ^= 1 << rng.randrange(8)
            self._write_damaged(damaged)
            status, _, err = _status(self.tool, "check", self.damaged)
            self.expect(status in (SOUND, CORRUPT), f"bit at {at}, no crash", f"status {status}")
            self.expect(status == SOUND or b"trace_tool: " in err, f"bit at {at}, a message")
            status, _, _ = _status(self.replay, "--touch", "none", self.damaged)
            self.expect(status in (0, 1, 3), f"bit at {at}, replay does not crash",
                        f"status {status}")
        first_segment = bytearray(content)  # closed: the trace is long enough to fill it
        first_segment[SEGMENT_BYTES + 32 + rng.randrange(SEGMENT_BYTES // 2)] ^= 4
        self._write_damaged(first_segment)
        status, _, err = _status(self.tool, "check", self.damaged)
        self.expect(status == CORRUPT and b"wrong checksum" in err, "a changed segment is refused")

    def replayed(self, allocators):
        for allocator in allocators:
            for touch in ("none", "all"):
                command = measure.Command([self.replay, "--touch", touch, self.trace], timeout=30)
                error = measure.failure(self.measure, command, allocator)
                self.expect(error is None, f"replay under {allocator.name}, touch {touch}", error)
        status, _, err = _status(self.replay, self.trace, LD_PRELOAD=self.crippled,
                                 CRIPPLED="corrupt")
        self.expect(status != 0 and err, "replay notices corrupted blocks")


def run(build, allocators):
    """Returns a list of (claim, None or why it does not hold)."""
    rng = random.Random(3)
    with tempfile.TemporaryDirectory() as directory:
        checks = Checks(build, directory)
        checks.whole()
        with open(checks.trace, "rb") as file:
            content = file.read()
        checks.cut(content, rng)
        checks.flipped(content, rng)
        checks.replayed(allocators)
    return checks.outcomes
