# python-multiprocessing.sh - python's own tests of multiprocessing by fork, and of subprocess
# needs: /usr/bin/python3.11 /usr/lib/python3.11/test/test_multiprocessing_fork.py
# packages: python3 libpython3.11-testsuite
# serves: python3.11
# timeout: 400
export PYTHONMALLOC=malloc
run /usr/bin/python3.11 -m test -v test_multiprocessing_fork test_subprocess \
    -m 'WithProcessesTest*' -m 'POSIXProcessTestCase' >log 2>&1 || tail -5 log >&2
note "$(grep -cE '\.\.\. ok$' log) tests ok"
grep -E '^(FAIL|ERROR|Tests result)' log | sort -u
