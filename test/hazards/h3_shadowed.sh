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

# A plugin that needs our library by name, in a program that does not have it.
bound_plugin() {
    local work lines
    work=$(mktemp -d)
    cp "$LIB" "$work/libmyalloc.so"
    ln -sf libmyalloc.so "$work/libmyalloc.so.0"
    "${CC:-gcc}" -shared -fPIC -fno-builtin -o "$work/plugin.so" -Wl,--no-as-needed \
        "$work/libmyalloc.so" -Wl,-rpath,"$work" test/hazards/plugins/bound_plugin.c &&
        lines=$("$programs/deepbind" "$work/plugin.so" 2>&1)
    local status=$?
    rm -rf "$work"
    echo "$lines"
    equal "$status" 0 && equal "$(wc -l <<<"$lines")" 1
}

# INTERPOSE-1
claim "a program with its own malloc runs" under "$programs/own_malloc"
claim "another preload behind us" preloads "${LIB-} $other"
claim "another preload before us" preloads "$other ${LIB-}"
claim "all functions with another preload before us" uses_all "$other ${LIB-}"
claim "all functions with another preload behind us" uses_all "${LIB-} $other"
if [ -n "${LIB-}" ]; then
    claim "a plugin that is bound to us frees and moves what is libc's" bound_plugin
fi
finish
