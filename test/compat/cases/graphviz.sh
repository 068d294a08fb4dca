# graphviz.sh - dot lays out a graph
# needs: dot
# packages: graphviz
# serves: dot
{
    echo 'digraph {'
    for ((i = 1; i < 120; i++)); do echo "n$i -> n$((i * 7 % 40)); n$i -> n$((i / 2));"; done
    echo '}'
} >in.dot
run dot -Tplain in.dot | digest
