#compdef myalloc
# Completion of the myalloc command for zsh: install it as share/zsh/site-functions/_myalloc.
# Commands and options are asked of the command.

# The options of a command as _arguments takes them, from lines `  -o, --output FILE   text`.
_myalloc_options() {
    _call_program options myalloc $1 --help | sed -nE \
        -e "s/[]:[]/ /g" \
        -e "s/^  (-.), (--[a-z]+) ([A-Z]+) +(.*)/(\1 \2)\1[\4] \3 _files\n(\1 \2)\2[\4] \3 _files/" \
        -e "s/^  (-.), (--[a-z]+) +(.*)/(\1 \2)\1[\3]\n(\1 \2)\2[\3]/" \
        -e "s/^ +(--[a-z]+) ([A-Z]+) +(.*)/\1[\3] \2 _files/" \
        -e "s/^ +(--[a-z]+) +(.*)/\1[\2]/" \
        -e "s/\] ([A-Z]+) _files/]:\1:_files/g; /^[(]?-/p"
}

_myalloc_profiled() {
    _alternative 'pids:process:_pids' 'files:file:_files'
}

_myalloc() {
    local -a commands options
    if ((CURRENT == 2)); then
        commands=(${(f)"$(_call_program commands myalloc --help |
            sed -nE 's/^  ([a-z]+) .*  ([A-Z].*)$/\1:\2/p')"})
        _describe command commands
        return
    fi
    local command=$words[2]
    options=(${(f)"$(_myalloc_options $command)"})
    shift words
    ((CURRENT--))
    case $command in
    run | record | check) _arguments -S $options '(-)*:: :_normal' ;;
    profile) _arguments $options '1:process or file:_myalloc_profiled' \
        '2:what to do:(start stop dump)' ;;
    maps | watch | heap | purge) _arguments $options '*:process:_pids' ;;
    diff) _arguments $options '*:file:_files' ;;
    lab) _arguments $options '1:experiment:(layout brk mmap pool heap fit)' ;;
    *) _arguments $options ;;
    esac
}

_myalloc "$@"
