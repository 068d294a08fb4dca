# statistics.sh - the numbers at exit: silent unless asked, to stderr or a file of the process.
. test/support/tap.sh

private=$(mktemp -d)
trap 'rm -rf "$private"' EXIT

stats() {
    local conf=$1
    shift
    LD_PRELOAD=$LIB MYALLOC_CONF=$conf "$@"
}

silent() {
    equal "$(stats "$1" /bin/ls / 2>&1 >/dev/null)" ""
}

# coreutils close stderr before destructors run.
arrive_at_stderr() {
    stats stats:1 /bin/ls / 2>&1 >/dev/null | grep -q '^myalloc: statistics of ls at exit'
}

stdout_is_the_programs() {
    equal "$(stats stats:1 /bin/echo ran 2>/dev/null)" ran
}

is_json() {
    stats stats:1,stats_format:json /bin/ls / 2>&1 >/dev/null |
        python3 -c 'import json, sys
numbers = json.load(sys.stdin)
assert numbers["program"] == "ls" and numbers["live"] > 0 and numbers["brk"] > 0, numbers
assert sum(c["mallocs"] for c in numbers["classes"]) == numbers["mallocs"], numbers'
}

file_of_each_process() {
    stats "stats:$private/a" /usr/bin/perl -e 'if (fork == 0) { exit 0 } wait' &&
        equal "$(cd "$private" && ls a.* | wc -l)" 2 && [ ! -e "$private/a" ]
}

names_are_expanded() {
    stats "stats:$private/%e-%p-%t" /bin/ls / >/dev/null &&
        ls "$private" | grep -Eq '^ls-[0-9]+-[0-9]{10}$'
}

arrive_without_destructors() {
    equal "$(stats stats:1 /usr/bin/perl -e 'use POSIX; my @a = map {"z" x 100} 1 .. 50000;
        POSIX::_exit(3)' 2>&1 >/dev/null | grep -c '^myalloc: statistics of perl at exit')" 1
}

# _exit in the child of vfork must not speak for the parent, whose memory it is.
vfork_children_are_silent() {
    printf '%s\n' '#include <stdio.h>' '#include <stdlib.h>' '#include <sys/wait.h>' \
        '#include <unistd.h>' 'int main(void) { dprintf(1, "v.%d", (int)getpid());' \
        'if (vfork() == 0) { _exit(0); } wait(NULL); _Exit(0); }' >"$private/vfork.c"
    "${CC:-gcc}" -D_GNU_SOURCE -Wno-deprecated-declarations -o "$private/vfork" "$private/vfork.c"
    local own
    own=$(stats "stats:$private/v" "$private/vfork")
    equal "$(cd "$private" && ls -d v.*)" "$own"
}

# A handler that ends the process while malloc holds its locks must not wait for them.
end_in_a_handler() {
    printf '%s\n' '#include <signal.h>' '#include <stdlib.h>' '#include <sys/time.h>' \
        '#include <unistd.h>' 'static void end(int n) { (void)n; _exit(7); }' \
        'int main(void) { signal(SIGALRM, end); struct itimerval t = {{0, 0}, {0, 20000}};' \
        'setitimer(ITIMER_REAL, &t, 0); for (;;) { free(malloc(2000000)); } }' >"$private/handler.c"
    "${CC:-gcc}" -O0 -D_GNU_SOURCE -o "$private/handler" "$private/handler.c"
    local i
    for i in 1 2 3 4 5 6 7 8; do
        XDG_RUNTIME_DIR=$private stats "stats:$private/h,live:1" timeout 10 "$private/handler"
        equal $? 7 || return
    done
}

another_file_behind_our_descriptor() {
    stats stats:1 /bin/bash -c "exec 200>$private/foreign 201>&200 202>&200 203>&200" 2>/dev/null
    equal "$(cat "$private/foreign")" ""
}

unwritable() {
    equal "$(stats stats:/nonexistent/x /bin/echo ran 2>/dev/null)" ran &&
        equal "$(stats stats:/nonexistent/x /bin/echo 2>&1 >/dev/null |
            sed 's/x[.][0-9]*:/x.PID:/')" \
            "myalloc: cannot create /nonexistent/x.PID: no such directory"
}

too_long() {
    local name
    name=$(printf 'x%.0s' {1..300})
    stats "stats:$name" /bin/echo 2>&1 >/dev/null | grep -q "bad value 'xxx.*for 'stats' (a name)"
}

if [ -n "${LIB-}" ]; then
    claim "nothing is said unasked" silent ""
    claim "0 is silent" silent stats:0
    claim "the numbers of a program that closes stderr arrive" arrive_at_stderr
    claim "the numbers of a program that ends by _exit arrive, once" arrive_without_destructors
    claim "the child of vfork writes nothing" vfork_children_are_silent
    claim "a handler may end the process at any moment" end_in_a_handler
    claim "stdout stays the program's" stdout_is_the_programs
    claim "JSON is JSON, and adds up" is_json
    # STATISTICS-2, PLACE-1
    claim "parent and child have a file each" file_of_each_process
    claim "%e, %p and %t are program, process and time" names_are_expanded
    # STATISTICS-1
    claim "a descriptor that the program reused is left alone" another_file_behind_our_descriptor
    claim "a file that cannot be made costs a line" unwritable
    claim "a name that is too long is refused" too_long
else
    claim "glibc knows no statistics" env MYALLOC_CONF=stats:1 /bin/true
fi
finish
