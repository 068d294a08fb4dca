# python-suite.sh - python's own tests of what allocates: gc, threading, ctypes, mmap, json, dict
# needs: /usr/bin/python3.11 /usr/lib/python3.11/test/test_gc.py
# packages: python3 libpython3.11-testsuite
# serves: python3.11
# timeout: 240
export PYTHONMALLOC=malloc
fails() {
    grep -E '^(FAIL|ERROR|Fatal)' log || true
    tail -n 5 log >&2
}
run /usr/bin/python3.11 -m test -v test_gc test_json test_dict test_list test_mmap test_ctypes \
    test_threading test_zlib test_re >log 2>&1 || fails
grep -cE '\.\.\. ok$' log >ok || true
note "$(cat ok) tests ok"
grep -E '^(FAIL|ERROR|Result|== Tests result|Tests result)' log | sort -u
