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

another_file_behind_our_descriptor() {
    stats stats:1 /bin/bash -c "exec 200>$private/foreign 201>&200 202>&200 203>&200" 2>/dev/null
    equal "$(cat "$private/foreign")" ""
}

unwritable() {
    equal "$(stats stats:/nonexistent/x /bin/echo ran 2>/dev/null)" ran &&
        equal "$(stats stats:/nonexistent/x /bin/echo 2>&1 >/dev/null | sed 's/[0-9]*$//')" \
            "myalloc: cannot create /nonexistent/x."
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
    claim "stdout stays the program's" stdout_is_the_programs
    claim "JSON is JSON, and adds up" is_json
    claim "parent and child have a file each" file_of_each_process
    claim "%e, %p and %t are program, process and time" names_are_expanded
    claim "a descriptor that the program reused is left alone" another_file_behind_our_descriptor
    claim "a file that cannot be made costs a line" unwritable
    claim "a name that is too long is refused" too_long
else
    claim "glibc knows no statistics" env MYALLOC_CONF=stats:1 /bin/true
fi
finish
