# build.sh - for test scripts that build and install: source it behind tap.sh.

# built ARGUMENT... - make, as somebody types it: what the suites set does not count.
built() {
    env -u B -u VARIANT -u GROUP -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s "$@"
}

# sources FOLDER - the checkout without what was built, in a new folder.
sources() {
    mkdir -p "$1"
    tar -c --exclude=./.git --exclude='./build*' --exclude=./libmyalloc.so --exclude=./myalloc \
        --exclude=./bench/results . | tar -x -C "$1"
}
