#!/usr/bin/env python3
"""report.py [--least PERCENT] [--lines] BUILD - what part of src the counts in BUILD reach.

One line a file, the total, then what was not reached, function by function, with the reason that
unreached.txt gives. Fails when the total is below PERCENT, or when a reason names nothing.
"""
import argparse
import collections
import gzip
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def gcov_files(build):
    """The JSON documents that gcov makes of all notes in BUILD."""
    notes = sorted(os.path.join(path, name) for path, _, names in os.walk(build)
                   for name in names if name.endswith('.gcno'))
    with tempfile.TemporaryDirectory() as directory:
        for note in notes:
            note = os.path.abspath(note)
            subprocess.run(['gcov', '--json-format', '--object-directory', os.path.dirname(note),
                            note], cwd=directory, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for name in os.listdir(directory):
                with gzip.open(os.path.join(directory, name)) as document:
                    yield from json.load(document)['files']
                os.unlink(os.path.join(directory, name))


def count_lines(build):
    """{file: {line: count}} and {file: {line: function}} of src; headers are the sum of users."""
    counts = collections.defaultdict(collections.Counter)
    functions = collections.defaultdict(dict)
    for document in gcov_files(build):
        name = os.path.relpath(os.path.join(ROOT, document['file']), ROOT)
        if not name.startswith('src' + os.sep):
            continue
        for line in document['lines']:
            counts[name][line['line_number']] += line['count']
            functions[name][line['line_number']] = line.get('function_name', '?')
    return counts, functions


def read_reasons():
    """[(file, function, reason)]: `FILE FUNCTION: REASON`, FUNCTION `*` for all of a file."""
    reasons = {}
    with open(os.path.join(HERE, 'unreached.txt'), encoding='utf-8') as text:
        for line in text:
            if line.strip() and not line.startswith('#'):
                place, reason = line.split(': ', 1)
                reasons[tuple(place.split())] = reason.strip()
    return reasons


def ranges(lines):
    """[3, 4, 5, 9] as '3-5 9'."""
    parts = []
    for line in lines:
        if parts and parts[-1][1] == line - 1:
            parts[-1][1] = line
        else:
            parts.append([line, line])
    return ' '.join(f'{a}-{b}' if a != b else str(a) for a, b in parts)


def print_files(counts):
    total = reached = 0
    for name in sorted(counts):
        lines = len(counts[name])
        hit = sum(1 for count in counts[name].values() if count)
        total, reached = total + lines, reached + hit
        print(f'{hit:6} of {lines:5} {100 * hit / lines:6.1f} %  {name}')
    percent = 100 * reached / total if total else 0
    print(f'{reached:6} of {total:5} {percent:6.1f} %  all of src')
    return percent


def print_unreached(counts, functions, reasons):
    used = set()
    print('\nNot reached:')
    for name in sorted(counts):
        missed = collections.defaultdict(list)
        for line in sorted(line for line, count in counts[name].items() if not count):
            missed[functions[name][line]].append(line)
        for function, lines in missed.items():
            key = (name, function) if (name, function) in reasons else (name, '*')
            used.add(key)
            print(f'{name}:{ranges(lines)} {function}: {reasons.get(key, "no reason given")}')
    for key in reasons:
        if key not in used:
            print(f'unreached.txt: {" ".join(key)} is reached, or gone: take the line out')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--least', type=float, default=0, metavar='PERCENT')
    parser.add_argument('build')
    arguments = parser.parse_args()
    counts, functions = count_lines(arguments.build)
    percent = print_files(counts)
    print_unreached(counts, functions, read_reasons())
    if percent < arguments.least:
        print(f'{percent:.1f} % is less than {arguments.least:.0f} %')
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
