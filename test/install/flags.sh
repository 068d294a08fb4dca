# flags.sh - the build: objects follow their flags, packagers are heard, and the same sources give
# the same bytes wherever they lie.
. test/support/tap.sh
. test/support/build.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$work/one there="$work/another one/deeper"
sources "$here" && sources "$there" || exit

# made FOLDER ARGUMENT... - without words, for the library is big.
made() {
    local folder=$1
    shift
    (cd "$folder" && nice env -u CPPFLAGS -u CFLAGS -u LDFLAGS -u CFLAGS_EXTRA -u WERROR \
        env -u B -u VARIANT -u GROUP -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -j2 "$@")
}

# One object tells of all: how it was made is in its debug information.
object=build/base/line.o
producer() {
    readelf --debug-dump=info "$here/$object" | sed -n 's/.*DW_AT_producer.*: \(GNU\|clang\)/\1/p'
}
stamp() {
    stat -c %y "$here/$object"
}
changes() {
    local before
    before=$(stamp) && made "$here" $object "$@" && [ "$(stamp)" != "$before" ]
}
made "$here" $object || exit
refused "an object that is made already stays" changes
claim "it is made anew for another VARIANT" changes VARIANT=-O0
refused "and stays with the same one" changes VARIANT=-O0
claim "it is made anew with CFLAGS" changes CFLAGS=-O1
claim "with CPPFLAGS" changes CFLAGS=-O1 CPPFLAGS=-DNDEBUG
claim "with CFLAGS_EXTRA" changes CFLAGS=-O1 CPPFLAGS=-DNDEBUG CFLAGS_EXTRA=-fno-plt
claim "for another compiler" changes CC=clang
claim "and without all of that again" changes

# What distributions set, and what would break the library if it came last.
packaged() {
    made "$here" all CPPFLAGS="-Wdate-time -D_FORTIFY_SOURCE=2" \
        CFLAGS_EXTRA=-fcf-protection=branch \
        CFLAGS="-g -O2 -fstack-protector-strong -flto=auto -fno-function-sections \
        -fvisibility=default -ftls-model=global-dynamic" \
        LDFLAGS="-Wl,-z,relro -Wl,--build-id=0x5eed5eed5eed5eed -flto=auto"
}
claim "it builds with the flags of packagers" packaged
claim "CFLAGS are heard" grep -q -e -fstack-protector-strong <(producer)
claim "CFLAGS_EXTRA are heard" grep -q -e -fcf-protection=branch <(producer)
note() {
    readelf -n "$1" | grep -q 'Build ID: 5eed5eed5eed5eed'
}
claim "LDFLAGS are heard by the library" note "$here/libmyalloc.so"
claim "and by the command" note "$here/myalloc"
sections() {
    local count
    count=$(readelf -SW "$here/$object" | grep -c ' \.text\.[a-z_]')
    echo "$count sections of functions" && [ "$count" -gt 5 ]
}
claim "functions keep sections of their own" sections
names() {
    nm -D --defined-only "$1" | cut -c 18- | sort
}
claim "the library exports the same names" equal "$(names "$here/libmyalloc.so")" \
    "$(names build/libmyalloc.so)"
claim "ordinary processes run no code of seldom_text" scripts/check_seldom.sh "$here/libmyalloc.so"
claim "thread-locals need no call" not grep -q __tls_get_addr <(nm -D "$here/libmyalloc.so")
claim "it serves" env LD_PRELOAD="$here/libmyalloc.so" perl -e '$x{$_} = "x" x $_ for 1 .. 3000'

made "$here" clean
both_made() {
    made "$here" && made "$there"
}
claim "it builds in a folder with blanks" both_made
for file in libmyalloc.so myalloc build/libmyalloc.a build/bench/replay build/bench/trace_tool; do
    claim "$file is the same in both folders" cmp "$here/$file" "$there/$file"
    claim "and tells nothing of them" not grep -qaF "$work" "$here/$file"
done
finish
