# manuals.sh - the manual pages: well formed, and the options as the library knows them.
. test/support/tap.sh

# Whether other manuals are installed does not matter.
sound() {
    local words
    words=$(mandoc -Tlint "$1" 2>/dev/null | grep -v 'referenced manual not found')
    equal "$words" ""
}

claim "myalloc(7) lists the options of the library" scripts/options_man.sh --check
for page in src/man/*.[137]; do
    claim "$page is well formed" sound "$page"
done
finish
