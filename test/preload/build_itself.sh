# build_itself.sh - make builds this project, under the library that it builds: the same library.
. test/support/scene.sh
programs=(make gcc)
children=(cc1 ld)

scene() {
    cp -r "$PROJECT/Makefile" "$PROJECT/src" "$PROJECT/include" .
    make -s -j2 libmyalloc.so >/dev/null || return
    sha256sum libmyalloc.so
}
compare_scene
