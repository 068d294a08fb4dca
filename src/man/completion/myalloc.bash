# Completion of the myalloc command for bash: source this file, or install it as
# share/bash-completion/completions/myalloc.

_myalloc_options()
{
    local common='--color --help --json --output --version'
    case $1 in
    run) echo "$common --compare --limit --profile --stats --timeline" ;;
    record) echo '--help --json --output --version' ;;
    maps) echo "$common --explain --svg" ;;
    watch) echo "$common --batch --count --delay --timeline" ;;
    top) echo "$common --batch --count --delay --openmetrics" ;;
    heap) echo "$common --svg" ;;
    diff) echo "$common --stats" ;;
    profile) echo '--color --help --output --version' ;;
    lab) echo "$common --auto --delay --lang" ;;
    check | doctor | purge) echo "$common" ;;
    esac
}

_myalloc()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} words=
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words='run record maps watch top heap profile purge diff lab check doctor --help --version'
    elif [[ $command =~ ^(run|record)$ && $before != -* ]] && _myalloc_program_at; then
        return
    else
        case $before in
        --color) words='auto always never' ;;
        --lang) words='ko en' ;;
        -o | --output | --svg | -t | --timeline | -p | --profile)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            ;;
        -n | --count | -d | --delay | -l | --limit) ;;
        *)
            if [[ $word == -* ]]; then
                words=$(_myalloc_options "$command")
            else
                _myalloc_word "$command" "$word"
            fi
            ;;
        esac
    fi
    [[ -n $words ]] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

# Complete what follows the options of a command: a process, a program, an experiment.
_myalloc_word()
{
    case $1 in
    profile)
        mapfile -t COMPREPLY < <(
            compgen -W 'start stop dump' -- "$2"
            compgen -f -- "$2"
            cd /proc && compgen -G "$2*" | grep -x '[0-9]*'
        )
        ;;
    maps | watch | heap | purge)
        mapfile -t COMPREPLY < <(cd /proc && compgen -G "$2*" | grep -x '[0-9]*')
        ;;
    diff) mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
    lab) mapfile -t COMPREPLY < <(compgen -W 'layout brk mmap pool heap fit' -- "$2") ;;
    run | record | check) mapfile -t COMPREPLY < <(compgen -c -f -- "$2") ;;
    esac
}

# True, with the rest completed as that program does, once the program of run has been typed.
_myalloc_program_at()
{
    local i
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -l | --limit | -o | --output | -t | --timeline | -p | --profile | --color) ((i++)) ;;
        --) ;;
        -*) ;;
        *)
            if declare -F _command_offset >/dev/null; then
                _command_offset "$i"
            else
                mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
            fi
            return 0
            ;;
        esac
    done
    return 1
}

complete -F _myalloc myalloc
