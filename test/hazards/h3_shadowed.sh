# h3_shadowed.sh - somebody else's malloc comes first: the program's own, or another preload's.
. test/support/tap.sh
programs=$TEST_PROGRAMS/hazards/programs
other=$TEST_PROGRAMS/hazards/plugins/other_preload.so

preloads() {
    equal "$(LD_PRELOAD=$1 /bin/bash -c 'printf "%s\n" {1..2000} | sort -r | head -n 1')" 999
}

uses_all() {
    LD_PRELOAD=$1 "$programs/all_functions"
}

claim "a program with its own malloc runs" under "$programs/own_malloc"
claim "another preload behind us" preloads "${LIB-} $other"
claim "another preload before us" preloads "$other ${LIB-}"
claim "all functions with another preload before us" uses_all "$other ${LIB-}"
claim "all functions with another preload behind us" uses_all "${LIB-} $other"
finish
