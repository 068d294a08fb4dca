# scripts.sh - every check of scripts/ fails on what it is there to find.
. test/support/tap.sh
broken=$(mktemp -d)
trap 'rm -rf "$broken"' EXIT

# layered LINE... - a source tree whose base/low.h and heap/high.h are in order, but for the LINEs
# added to low.
layered() {
    rm -rf "$broken/src" && mkdir -p "$broken/src/base" "$broken/src/heap"
    printf '%s\n' base/low.h heap/high.h >"$broken/src/LAYERS"
    printf '%s\n' '#include <stddef.h>' "$@" >"$broken/src/base/low.h"
    echo '#include "base/low.h"' >"$broken/src/heap/high.h"
}

layers() {
    scripts/check_layers.sh "$broken/src"
}

layered
claim "layers: an ordered tree passes" layers
layered '#include "heap/high.h"'
refused "layers: an upward include fails" layers
layered '#include "heap/unknown.h"'
refused "layers: an unlisted include fails" layers
layered
echo "int extra;" >"$broken/src/heap/extra.c"
refused "layers: an unlisted module fails" layers
layered
echo heap/missing.h >>"$broken/src/LAYERS"
refused "layers: a listed module that is missing fails" layers
layered
printf '%s\n' 'features: heap' front/mode front/malloc >>"$broken/src/LAYERS"
mkdir "$broken/src/front" && echo "int malloc;" >"$broken/src/front/malloc.h"
echo '#include "heap/high.h"' >"$broken/src/front/mode.h"
refused "layers: a feature included by another folder fails" layers
echo 'for: front/mode' >>"$broken/src/LAYERS"
claim "layers: but by those that are there for it" layers
layered
: >"$broken/src/LAYERS"
refused "layers: an empty list fails" layers

asserted() {
    scripts/count_assertions.sh --check "$broken/src"
}

printf '%s\n' base/lock.h >"$broken/src/LAYERS"
printf '%s\n' 'void a(void)' { 'ASSERT(1);' } 'void b(void)' { } >"$broken/src/base/lock.h"
refused "assertions: fewer than four to five functions fail" asserted
printf '%s\n' 'void c(void)' { 'VERIFY(1);' } >>"$broken/src/base/lock.h"
refused "assertions: a module with two in three functions fails" asserted
printf '%s\n' 'void d(void)' { 'VERIFY(1);' 'ASSERT(1);' } >>"$broken/src/base/lock.h"
claim "assertions: enough pass" asserted
: >"$broken/src/base/lock.h"
echo base/high.h >"$broken/src/LAYERS"
refused "assertions: a tree without the modules fails" asserted

printf '%s\n' 'static struct {' '    int count;' '} g_high;' 'void a(void)' { } \
    >"$broken/src/base/high.c"
refused "assertions: a module with an object that changes is one with state" asserted
sed -i 's/^static struct/static const struct/' "$broken/src/base/high.c"
refused "assertions: a constant is no state" scripts/count_assertions.sh --stateful "$broken/src"

# cited LINE... - a tree of one module, with the LINEs in it.
cited() {
    rm -rf "$broken" && mkdir -p "$broken"/{src/doc,include,test/coverage,bench,scripts}
    : >"$broken/Makefile" && : >"$broken/README.md" && : >"$broken/test/coverage/unreached.txt"
    printf '%s\n' '/* low.c - x.' ' *' ' * Invariants: LOW-1  x.' ' */' \
        'void low_go(void) {}' "$@" >"$broken/src/low.c"
    scripts/check_citations.sh "$broken"
}

held='    ASSERT(1); // LOW-1'
claim "citations: what is there passes" cited "$held" '// low_go() of low.c'
refused "citations: an invariant that nobody holds fails" cited
refused "citations: an unknown invariant fails" cited "$held" '// LOW-2'
refused "citations: an unknown file fails" cited "$held" '// see high.c'
refused "citations: an unknown folder fails" cited "$held" '// see base/low.c'
refused "citations: an unknown function fails" cited "$held" '// low_stop() does'
stale() {
    cited "$held"
    "$1" "$2" >"$broken/$3"
    scripts/check_citations.sh "$broken"
}
refused "citations: a document that names an unknown function fails" \
    stale echo '`low_stop` stops' src/doc/page.md
refused "citations: a reason for what is gone fails" \
    stale echo 'src/low.c low_stop: x' test/coverage/unreached.txt

# library SOURCE FLAGS... - a shared library to look at.
library() {
    local source=$1
    shift
    "${CC:-gcc}" -shared -fPIC -O2 -x c -o "$broken/lib.so" - "$@" <<<"$source"
}

exports() {
    printf '%s\n' malloc free 'myalloc_*' >"$broken/golden"
    scripts/check_exports.sh "$broken/lib.so" "$broken/golden"
}

good='void *malloc(unsigned long n) { return (void *)n; }
    void free(void *p) { (void)p; }
    int myalloc_x;'
uses_libc='extern int puts(const char *); int myalloc_y(void) { return puts("x"); }'
library "$good $uses_libc"
claim "exports: the exact list passes" exports
library "$good $uses_libc int strdup_of_ours;"
refused "exports: one name more fails" exports
library "void *malloc(unsigned long n) { return (void *)n; } $uses_libc"
refused "exports: one name less fails" exports
library "$good $uses_libc" -Wl,--no-as-needed -lm
refused "exports: a second needed library fails" exports
echo 'NODE_1.0 { global: *; };' >"$broken/version"
library "$good $uses_libc" -Wl,--version-script="$broken/version"
refused "exports: a version node fails" exports
library "$good $uses_libc __asm__(\".text; .space 70000\");"
refused "exports: more than 45 KiB of code in .text fails" exports
library "$good $uses_libc __asm__(\".section seldom_text,\\\"ax\\\"; .space 120000\");"
refused "exports: more than 108 KiB of code in all fails" exports

imports() {
    printf '%s\n' '## Names that we call' '- `puts`' '  `'"$1"'`: not `write`, `x`.' \
        >"$broken/page.md"
    scripts/check_imports.sh "$broken/lib.so" "$broken/page.md"
}

uses_names='extern long syscall(long); extern int puts(const char *);
    long myalloc_z(void) { return syscall(puts("x")); }'
library "$uses_names" -nostartfiles
claim "imports: listed names pass" imports syscall
refused "imports: a name that is not listed fails" imports write
claim "imports: the page lists names" scripts/check_imports.sh "$broken/lib.so" <(
    printf '%s\n' '## Names that we call' '- `puts`: x.' '- `syscall`: y.')
refused "imports: a name of another section fails" scripts/check_imports.sh "$broken/lib.so" <(
    printf '%s\n' '## Names that we call' '- `puts`: x.' '## More' '- `syscall`: y.')

fast_path() {
    scripts/check_fast_path.sh "$broken/lib.so" "$broken/golden"
}

# counted SOURCE - the library of SOURCE, with its own counts as the golden ones.
counted() {
    library "$1"
    scripts/check_fast_path.sh "$broken/lib.so" /dev/null | sed -n 's/^> //p' >"$broken/golden"
}

short_free='long g; void free(void *p) { g = (long)p; }'
counted "void *malloc(unsigned long n) { return (void *)(n + 1); } $short_free"
claim "fast path: two short functions pass" fast_path
sed -i 's/^malloc instructions [0-9]*/malloc instructions 9/' "$broken/golden"
refused "fast path: another count than the golden one fails" fast_path
counted "extern void *f(long); void *malloc(unsigned long n) { return f((long)n) + 1; } $short_free"
refused "fast path: a call fails" fast_path
counted "volatile int v;
    void *malloc(unsigned long n) { v; v; v; v; v; v; v; v; v; v; v; v; v; v; v; v; v; v; v; v;
        v; v; v; return (void *)n; }
    $short_free"
refused "fast path: too many instructions fail" fast_path
counted "extern void *f(unsigned long); void *malloc(unsigned long n) { return f(n); } $short_free"
refused "fast path: leaving before ret fails" fast_path

sed 's/^Default: 1\.$/Default: 2./' src/man/myalloc.7 >"$broken/page.7"
refused "options: a page with another list fails" scripts/options_man.sh --check "$broken/page.7"
grep -v 'options: made' src/man/myalloc.7 >"$broken/page.7"
refused "options: a page without the list fails" scripts/options_man.sh --check "$broken/page.7"

# A user whose system has none of what the tests need; root would have it installed.
mkdir "$broken/bin" && chmod 755 "$broken" "$broken/bin"
for tool in id sort tr; do
    ln -s "$(command -v $tool)" "$broken/bin"
done
as_user() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    else
        "$@"
    fi
}
setup_check() {
    as_user env PATH="$broken/bin" "$BASH" scripts/setup.sh "$@" 2>&1
}
if as_user test -r scripts/setup.sh; then
    claim "setup: --check tells a user what is missing, and make setup" \
        grep -q 'the tests need .*clang.*valgrind.*`make setup`' <(setup_check --check)
    refused "setup: --check fails then" setup_check --check
    refused "setup: without apt-get nothing is installed" setup_check
else
    echo "# skipped: setup as a user: none can read the checkout"
fi

# styled TEXT [NAME] - the style check of one file.
styled() {
    local file=$broken/${2:-src/heap/styled.c}
    mkdir -p "$(dirname "$file")"
    printf '%s\n' "$1" >"$file"
    scripts/check_style.sh "$file"
}

long_line=$(printf 'x%.0s' {1..101})
long_function=$(echo 'void f(void)' && echo '{' && printf 'x;%.0s\n' {1..61} && echo '}')
claim "style: plain code passes" styled 'int plain;'
claim "style: an include guard passes" styled '#ifndef HEAP_STYLED_H'
claim "style: #if in src/base passes" styled '#if CONFIG' src/base/styled.c
refused "style: 101 columns fail" styled "$long_line"
refused "style: 61 lines in a function fail" styled "$long_function"
claim "style: 60 lines pass" styled "$(sed 2q <<<"$long_function" && sed 1,3d <<<"$long_function")"
refused "style: 601 lines in a file fail" styled "$(seq 601)"
refused "style: #if outside src/base fails" styled '#if CONFIG'
refused "style: #if 0 fails" styled '#if 0' src/base/styled.c
refused "style: assembler outside of its headers fails" styled '__asm__("nop");'
claim "style: assembler in a header of sequences passes" \
    styled '__asm__("nop");' src/core/rseq_x86_64.h
refused "style: work left to do fails" styled "// TO""DO: later"
refused "style: a word that was replaced fails" styled '// the granule'
refused "style: a name of C++ fails" styled 'int class = 0;'
claim "style: class in a text passes" styled 'puts("a class; one more"); // of this class;'
refused "style: no files fail" scripts/check_style.sh
finish
