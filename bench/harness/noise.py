"""Medians, means, and when a difference means something."""

import math
import statistics

SIGNIFICANT = 0.05


def median(values):
    return statistics.median(values)


def geometric_mean(ratios):
    return math.exp(statistics.fmean(math.log(r) for r in ratios)) if ratios else None


def _rank_sum_counts(n, m):
    """counts[u] = in how many of the orders of n + m values the Mann-Whitney statistic is u."""
    table = {(0, 0): [1]}
    for i in range(n + 1):
        for j in range(m + 1):
            if i == j == 0:
                continue
            counts = [0] * (i * j + 1)
            if i:  # the largest value is one of the n: it beats all j others
                for u, c in enumerate(table[i - 1, j]):
                    counts[u + j] += c
            if j:
                for u, c in enumerate(table[i, j - 1]):
                    counts[u] += c
            table[i, j] = counts
    return table[n, m]


def chance(a, b):
    """Two-sided p of the exact Mann-Whitney test: how easily equal causes differ this much."""
    wins = sum((x > y) + 0.5 * (x == y) for x in a for y in b)
    extreme = min(wins, len(a) * len(b) - wins)
    counts = _rank_sum_counts(len(a), len(b))
    tail = sum(c for u, c in enumerate(counts) if u <= extreme)
    return min(1.0, 2 * tail / sum(counts))


def within_noise(a, b):
    return chance(a, b) > SIGNIFICANT


def mean_noise(rows):
    """The noise of a geometric mean of ratios; rows is a list of lists: for each row one per round.

    Every round is a complete measurement of its own, taken interleaved, so the spread of the
    rounds' means is the noise of the mean: twice the standard error of the mean's logarithm.
    """
    rounds = min((len(row) for row in rows), default=0)
    if rounds < 2:
        return None
    logs = [statistics.fmean(math.log(row[i]) for row in rows) for i in range(rounds)]
    return math.expm1(2 * statistics.stdev(logs) / math.sqrt(rounds))
