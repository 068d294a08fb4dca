# installed.sh - `make install` and `make uninstall`, and programs that use what was installed.
. test/support/tap.sh
. test/support/build.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/^#define MYALLOC_VERSION "\(.*\)"/\1/p' include/myalloc.h)
prefix=$work/plain blank="$work/with a blank"

# tree FOLDER - each path below it, with its mode, its links and what is in it.
tree() {
    (cd "$1" && find . -printf '%p %M %l\n' | sort &&
        find . -type f -print0 | sort -z | xargs -0r md5sum)
}

# comes_and_goes FOLDER ARGUMENT... - uninstall takes away what install made, and nothing else.
comes_and_goes() {
    local folder=$1 before
    shift
    mkdir -p "$folder/lib" "$folder/share/man/man1" # empty ones that were there
    echo mine >"$folder/share/man/man1/mine.1"
    before=$(tree "$folder")
    built install "$@" && built install "$@" || return # twice, as upgrades do
    [ "$(find "$folder" -type f -o -type l | wc -l)" -gt 20 ] || return
    built uninstall "$@" && equal "$(tree "$folder")" "$before"
}

claim "uninstall takes away what install made" comes_and_goes "$prefix" PREFIX="$prefix"
claim "in a folder with blanks too" comes_and_goes "$blank" PREFIX="$blank"
claim "below DESTDIR too" comes_and_goes "$work/stage 2/opt/x" DESTDIR="$work/stage 2" PREFIX=/opt/x
claim "with slashes that mean nothing" comes_and_goes "$work/j" PREFIX="$work/j//a//b/" \
    LIBDIR="$work/j//a/lib/"
older_too() {
    local folder=$work/older before
    mkdir "$folder" && before=$(tree "$folder")
    built install PREFIX="$folder" VERSION=0.1.9 && built install PREFIX="$folder" &&
        built uninstall PREFIX="$folder" && equal "$(tree "$folder")" "$before"
}
claim "uninstall takes away older versions, too" older_too
claim "an installation that was never made goes away" built uninstall PREFIX="$work/none"
refused "a folder that is not absolute is refused" built install PREFIX=relative
of_root() {
    mkdir "$work/root" && comes_and_goes "$work/root" DESTDIR="$work/root" PREFIX=/of-its-own
}
claim "a prefix right below / is made and removed" of_root

nobody() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
if [ "$(id -u)" -ne 0 ] || ! nobody test -r build/libmyalloc.a 2>/dev/null; then
    echo "# skipped: installation by a user: run by one, or none can read the checkout"
else
    mkdir "$work/theirs" && chown 65534 "$work/theirs" && chmod 755 "$work"
    as_nobody() {
        nobody env VERSION="$version" PREFIX="$work/theirs" scripts/install.sh install &&
            nobody "$work/theirs/bin/myalloc" --version
    }
    claim "a user installs without being root" as_nobody
fi

built install PREFIX="$prefix" && built install PREFIX="$blank"
soname() {
    readelf -d "$1" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p'
}
library=$prefix/lib/libmyalloc.so
claim "the soname has the major version" equal "$(soname "$library")" "libmyalloc.so.${version%%.*}"
claim "the plain name leads to the soname" equal "$(readlink "$library")" "$(soname "$library")"
claim "the soname leads to the file" equal "$(readlink -f "$library")" "$library.$version"
claim "the plain name can be preloaded" env LD_PRELOAD="$library" /bin/true
led_to_commands() {
    grep -q 'myalloc block ADDRESS' "$1/share/gdb/auto-load$1/lib/libmyalloc.so.$version-gdb.py" &&
        [ -r "$1/share/myalloc/myalloc_heap.py" ]
}
claim "gdb is led to the commands of its own" led_to_commands "$prefix"
claim "in a folder with blanks too" led_to_commands "$blank"
version_of() {
    "$prefix/bin/myalloc" --version
}
claim "the command tells the version" equal "$(version_of)" "myalloc $version"
claim "the command finds the library" equal \
    "$("$prefix/bin/myalloc" run -- sh -c 'echo ${LD_PRELOAD}')" "$library.$version"

cat >"$work/program.c" <<'END'
#include <myalloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static void *run(void *unused)
{
    static void *blocks[500];
    for (int i = 0; i < 100000; i++) {
        int at = i % 250 + (unused != NULL ? 250 : 0);
        free(blocks[at]);
        blocks[at] = calloc(1, (size_t)(i % 4000));
    }
    return unused;
}
int main(int argc, char **argv)
{
    pthread_t thread;
    char *text = strdup("a block of libc");
    char *huge = malloc(5000000);
    int status = -1;
    pthread_create(&thread, NULL, run, argv);
    run(NULL);
    pthread_join(thread, NULL);
    if (!myalloc_owns(text) || !myalloc_owns(huge) || myalloc_purge() < 0 ||
        strcmp(myalloc_version(), MYALLOC_VERSION) != 0) {
        return 1;
    }
    if (fork() == 0) {
        free(text);
        _exit(myalloc_owns(huge) ? 3 : 4);
    }
    if (wait(&status) < 0 || WEXITSTATUS(status) != 3 || system("exit 5") >> 8 != 5) {
        return 2;
    }
    if (argc > 1) {
        free(huge);
        free(huge);
    }
    printf("served %s\n", myalloc_version());
    return 0;
}
END

# compiled_by_pkg_config PREFIX FLAGS... - as the file of pkg-config says.
compiled_by_pkg_config() {
    local flags
    flags=$(PKG_CONFIG_PATH="$1/lib/pkgconfig" pkg-config --cflags --libs myalloc) || return
    # blanks come with a backslash
    eval "${CC:-gcc} '$work/program.c' -o '$work/program' ${*:2} $flags" &&
        equal "$(LD_LIBRARY_PATH="$1/lib" "$work/program")" "served $version"
}
claim "a program is built by pkg-config" compiled_by_pkg_config "$prefix"
claim "pkg-config tells the version" equal \
    "$(PKG_CONFIG_PATH="$prefix/lib/pkgconfig" pkg-config --modversion myalloc)" "$version"
# Of the family it calls nothing itself, so that only the flag brings the library in.
static_by_pkg_config() {
    local flags
    printf '#include <%s>\n' stdio.h string.h >"$work/copies.c"
    echo 'int main(void) { return puts(strdup("x")) < 0; }' >>"$work/copies.c"
    flags=$(PKG_CONFIG_PATH="$prefix/lib/pkgconfig" pkg-config --static --libs myalloc) || return
    eval "${CC:-gcc} '$work/copies.c' -o '$work/copies' -static $flags" &&
        MYALLOC_CONF=stats:1 "$work/copies" 2>&1 | grep -q myalloc
}
claim "a static program is built by pkg-config" static_by_pkg_config
claim "pkg-config knows a folder with blanks" compiled_by_pkg_config "$blank"
for how in -static -static-pie; do
    claim "a program that is linked with $how is served" compiled_by_pkg_config "$prefix" $how
    claim "and has no dynamic linker" not eval "readelf -lW '$work/program' | grep INTERP"
    claim "its double free is caught" eval \
        "'$work/program' twice 2>&1 | grep -q 'myalloc: fatal: double free of 0x'"
    claim "it reads MYALLOC_CONF" eval "MYALLOC_CONF=stats:1 '$work/program' 2>&1 |
        grep -q 'myalloc: statistics of program at exit'"
    claim "nobody is excluded there" equal "$(MYALLOC_EXCLUDE=program "$work/program")" \
        "served $version"
done
only_public() {
    ! nm -g --defined-only "$prefix/lib/libmyalloc.a" | awk 'NF == 3 { print $3 }' |
        grep -vxFf <(sed 's/\*$//' test/golden/exports.txt)
}
claim "the archive has only the public names" only_public

# compiled_by_cmake PREFIX TARGET - with find_package.
compiled_by_cmake() {
    local folder="$work/cmake $2"
    rm -rf "$folder" && mkdir "$folder" && cp "$work/program.c" "$folder" &&
        cat >"$folder/CMakeLists.txt" <<END || return
cmake_minimum_required(VERSION 3.13)
project(program C)
find_package(myalloc ${version%.*} REQUIRED)
add_executable(program program.c)
target_link_libraries(program PRIVATE myalloc::$2 $([ "$2" != static ] || echo -static))
END
    cmake -S "$folder" -B "$folder/build" -DCMAKE_PREFIX_PATH="$1" \
        -DCMAKE_C_COMPILER="${CC:-gcc}" && cmake --build "$folder/build" &&
        equal "$("$folder/build/program")" "served $version"
}
claim "a program is built by CMake" compiled_by_cmake "$prefix" myalloc
claim "a static program is built by CMake" compiled_by_cmake "$prefix" static
claim "CMake knows a folder with blanks" compiled_by_cmake "$blank" myalloc
asked_for() {
    cat >"$work/asked.cmake" <<END
set(PACKAGE_FIND_VERSION $1)
include("$prefix/lib/cmake/myalloc/myalloc-config-version.cmake")
if(NOT PACKAGE_VERSION_COMPATIBLE)
    message(FATAL_ERROR "refused")
endif()
END
    cmake -P "$work/asked.cmake"
}
claim "CMake takes this version" asked_for "$version"
refused "CMake refuses a newer one" asked_for 99.0
refused "CMake refuses another minor version" asked_for 0.1.0

traced() {
    "$prefix/bin/myalloc" record -o "$work/t.trace" -- sort /etc/passwd >/dev/null &&
        "$prefix/bin/myalloc-trace" check "$work/t.trace" &&
        "$prefix/bin/myalloc-replay" "$work/t.trace"
}
claim "a recorded program is replayed by what was installed" traced
finish
