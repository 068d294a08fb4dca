# archives.sh - tar and xz with threads, there and back again.
. test/support/scene.sh
programs=(tar xz gzip)
children=()

scene() {
    mkdir tree
    for i in {1..200}; do seq "$i" $((i * 40)) >"tree/file$i"; done
    seq 1 400000 >tree/large
    tar --sort=name --mtime=@0 --owner=0 --group=0 -cf tree.tar tree
    xz -T2 --block-size=1MiB -4 -k tree.tar
    sha256sum tree.tar tree.tar.xz
    mkdir out
    tar -C out --use-compress-program='xz -T2' -xf tree.tar.xz
    diff -r tree out/tree
    tar -cf - tree | gzip -n | gzip -d | tar -tf - | sort | sha256sum
    xz -T2 -l tree.tar.xz | tail -n 1
    head -c 1000 tree.tar.xz >broken.xz
    xz -d broken.xz
    [ $? -eq 1 ]
}
compare_scene
