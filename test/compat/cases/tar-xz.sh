# tar-xz.sh - tar, xz with threads, gzip, bzip2, there and back
# needs: tar xz gzip bzip2
# packages: tar xz-utils gzip bzip2
# serves: tar xz gzip bzip2
mkdir tree && for ((i = 0; i < 30; i++)); do words $((i * 150)) >tree/$i; done
run tar -c --sort=name --mtime=@0 --owner=0 --group=0 tree | run xz -T2 -3 >t.xz
run tar -c --sort=name --mtime=@0 --owner=0 --group=0 tree | run gzip -9n | digest
run tar -c --sort=name --mtime=@0 --owner=0 --group=0 tree | run bzip2 | digest
mkdir back && run tar -C back -xJf t.xz && diff -r tree back/tree && echo same
