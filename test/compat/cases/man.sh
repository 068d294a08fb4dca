# man.sh - man: groff in a sandbox of seccomp
# needs: man groff
# packages: man-db groff-base
# serves: man groff
# quick: yes
{
    echo '.TH TEST 1'
    echo '.SH NAME'
    echo 'test \- a page'
    for ((i = 0; i < 400; i++)); do
        printf '.PP\n.B word %d\nand text that is long enough to be broken.\n' $i
    done
} >test.1
MANPAGER=cat MANWIDTH=72 run man -l ./test.1 | digest
