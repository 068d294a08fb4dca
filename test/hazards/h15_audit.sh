# h15_audit.sh - a program that LD_AUDIT watches still runs on the library.
. test/support/tap.sh
programs=$TEST_PROGRAMS/hazards/programs
auditor=$TEST_PROGRAMS/hazards/plugins/auditor.so

audited() {
    LD_AUDIT=$auditor under "$@"
}

# No function may be taken for libc's: its blocks would be foreign to free.
strictly() {
    MYALLOC_CONF=${MYALLOC_CONF:+$MYALLOC_CONF,}foreign:abort audited "$@"
}

claim "all functions under an auditor" strictly "$programs/all_functions"
claim "threads under an auditor" audited "$programs/threads"
[ -z "${LIB-}" ] || refused "the library is used under an auditor" \
    audited env MYALLOC_CONF=foreign:abort "$programs/foreign" libc free
finish
