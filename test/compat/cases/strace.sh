# strace.sh - strace of a program and its children
# needs: strace
# packages: strace
# serves: strace sort
run strace -f -o log -e trace=execve,exit_group sort --version | head -1
grep -c exit_group log
