# shell.sh - bash: arrays, recursion, pipes, subshells, traps, here documents.
. test/support/scene.sh
programs=(bash)
children=()

scene() {
    declare -A squares
    for i in {1..3000}; do squares[$i]=$((i * i)); done
    echo "${#squares[@]} ${squares[2999]}"
    fibonacci() {
        (($1 < 2)) && echo "$1" ||
            echo $(($(fibonacci $(($1 - 1))) + $(fibonacci $(($1 - 2)))))
    }
    fibonacci 9
    text=$(for i in {1..20000}; do echo "line $i"; done)
    echo "${#text}" "${text//line/LINE}" | head -c 300
    while read -r word number; do sum=$((sum + number)); done <<<"$text"
    echo "$sum"
    trap 'echo trapped' USR1
    kill -USR1 $$
    list=()
    for i in {1..5000}; do list+=("element $i"); done
    printf '%s\n' "${list[@]: -3}"
    (exit 7) || echo "status $?"
    for i in {1..50}; do echo "$i" & done | sort -n | tail -n 1
    wait
    unset 'list[10]'
    echo "${#list[@]}"
}
compare_scene
