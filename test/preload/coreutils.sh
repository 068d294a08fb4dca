# coreutils.sh - the tools of every script, on input large enough for threads and temporary files.
. test/support/scene.sh
programs=(sort ls seq cut tr uniq wc sha256sum od shuf join split find grep sed awk tac)
children=()

scene() {
    seq 1 300000 | sed 's/\(.*\)/\1 key\1/' >numbers
    sort -R --random-source=numbers numbers | sort -k2 -S 1M --parallel=2 | sha256sum
    shuf --random-source=numbers numbers | sort -n | cmp - numbers
    cut -d' ' -f2 numbers | tr 0-4 a-e | sort | uniq -c | wc
    tac numbers | od -c | tail -n 3
    split -l 50000 numbers part.
    ls -l --time-style=+ part.*
    find . -name 'part.*' | sort
    grep -c '9.*9' numbers
    awk '{ sum[$1 % 1000] += $1 } END { for (k in sum) print k, sum[k] }' numbers | sort | sha256sum
    join <(sort numbers) <(sort -r numbers | sort) | wc -l
    ls /nonexistent
    mkdir tree && cd tree || return
    seq -f 'directory%g' 300 | xargs mkdir
    seq -f 'file%g' 2000 | xargs touch
    cd ..
    ls -lR --time-style=+ tree | sha256sum
}
compare_scene
