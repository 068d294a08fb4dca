"""What the figures depend on besides the code: processor, kernel, settings, load."""

import os
import platform
import re
import time

BUSY_LOAD_PER_CPU = 0.25


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _cpu_model():
    found = re.search(r"^model name\s*:\s*(.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def _chosen(path):
    """The bracketed word of a kernel setting such as "always [madvise] never"."""
    found = re.search(r"\[(\w+)\]", _read(path))
    return found.group(1) if found else "unknown"


def describe(commit):
    memory = re.search(r"MemTotal:\s*(\d+)", _read("/proc/meminfo"))
    governor = _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip()
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "memory_mib": int(memory.group(1)) // 1024 if memory else 0,
        "kernel": platform.release(),
        "thp": _chosen("/sys/kernel/mm/transparent_hugepage/enabled"),
        "governor": governor or "unknown",
        "commit": commit,
        "myalloc_conf": os.environ.get("MYALLOC_CONF", ""),
        "load_at_start": os.getloadavg()[0],
    }


def busy_share(seconds=0.5):
    """The share of all processors' time that was not idle during a short look."""

    def ticks():
        fields = [int(x) for x in _read("/proc/stat").split("\n", 1)[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]

    total_before, idle_before = ticks()
    time.sleep(seconds)
    total, idle = ticks()
    passed = total - total_before
    return 1 - (idle - idle_before) / passed if passed else 0.0


def warning():
    """A line to print when other work disturbs the measurement, else an empty string."""
    busy = busy_share()
    if busy <= BUSY_LOAD_PER_CPU:
        return ""
    return f"warning: the machine is busy ({busy:.0%} of its processors' time): expect noise"
