"""What each allocator, with its options, costs: CPU time on the workloads of bench/, relative to
the first one. The subjects take turns, and the least of the rounds counts: it was disturbed least.
"""

import os
import subprocess

from harness import suite

BUILD = "build/bench"


def cpu_seconds(argv, environment):
    """User and system time of one run; None when it failed."""
    with subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
    return usage.ru_utime + usage.ru_stime if status == 0 else None


def measure_row(row, subjects, rounds):
    """{subject: least seconds, None when a run failed}"""
    seconds = {subject.name: [] for subject in subjects}
    for _ in range(rounds):
        for subject in subjects:
            seconds[subject.name].append(cpu_seconds(row.command.argv, subject.environment()))
    return {name: None if None in all_of_them else min(all_of_them)
            for name, all_of_them in seconds.items()}


def measure(root, subjects, scale, rounds, wanted):
    """[(row name, {subject: seconds})] for every workload that the first subject can run."""
    rows, _ = suite.chosen(suite.rows(os.path.join(root, BUILD), scale), wanted)
    return [(row.name, measure_row(row, subjects, rounds)) for row in rows]


def ratios(table, name, base):
    """Of the rows where both ran, and took long enough for the clock of the system."""
    return [row[name] / row[base] for _, row in table
            if row[name] is not None and row[base] is not None and row[base] >= 0.01]


def means(table, name, base):
    """(arithmetic, geometric) mean of the ratios; None without any."""
    found = ratios(table, name, base)
    if not found:
        return None
    product = 1.0
    for ratio in found:
        product *= ratio ** (1 / len(found))
    return sum(found) / len(found), product


def print_all(table, subjects, column):
    names = [subject.name for subject in subjects]
    width = max(len(name) for name, _ in table)
    print(f"\nCPU seconds, then the ratio to {names[0]}")
    print(f"{'':<{width}}" + "".join(f"{name:>{column}}" for name in names))
    for name, row in table:
        print(f"{name:<{width}}" + "".join(f"{cell(row, one, names[0]):>{column}}"
                                           for one in names))
    for index, kind in enumerate(("arithmetic mean", "geometric mean")):
        all_means = [means(table, name, names[0]) for name in names]
        print(f"{kind:<{width}}" + "".join(f"{f'{one[index]:.2f}' if one else '-':>{column}}"
                                           for one in all_means))


def cell(row, name, base):
    if row[name] is None:
        return "failed"
    ratio = row[name] / row[base] if row[base] else 0
    return f"{row[name]:.3f} {ratio:5.2f}"
