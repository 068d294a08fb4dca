# h4_operator_delete.sh - no C++ operator is ours, so a program may replace a part of them.
. test/support/tap.sh

no_operator_is_exported() {
    ! nm -D --defined-only "$LIB" | grep -E ' _Z(nw|na|dl|da)'
}

claim "a partial replacement of operator delete stays whole" \
    under "$TEST_PROGRAMS/hazards/programs/operator_delete"
[ -z "${LIB-}" ] || claim "the library exports no C++ operator" no_operator_is_exported
finish
