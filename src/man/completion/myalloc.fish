# Completion of the myalloc command for fish: install it as
# share/fish/vendor_completions.d/myalloc.fish. Commands and options are asked of the command.

# The word after `myalloc` that names a command; nothing while there is none.
function __myalloc_command
    set -l words (commandline -opc)
    test (count $words) -gt 1; and echo $words[2]
end

function __myalloc_commands
    myalloc --help | string replace -rf '^  ([a-z]+) .*  ([A-Z].*)$' '$1\t$2'
end

function __myalloc_options
    myalloc (__myalloc_command) --help |
        string replace -rf '^  (?:-., |    )(--[a-z]+)(?: [A-Z]+)? +(.*)$' '$1\t$2'
end

# True until the first word behind the command that is no option: a program has its own.
function __myalloc_at_options
    set -l words (commandline -opc)
    test (count $words) -gt 1; and not string match -qv -- '-*' $words[3..-1]
end

function __myalloc_is
    contains -- (__myalloc_command) $argv
end

complete -c myalloc -f
complete -c myalloc -n 'not __myalloc_command >/dev/null' -a '(__myalloc_commands)'
complete -c myalloc -n '__myalloc_at_options; and string match -q -- "-*" (commandline -ct)' \
    -a '(__myalloc_options)'
complete -c myalloc -n '__myalloc_is maps watch heap profile purge' -a '(__fish_complete_pids)'
complete -c myalloc -n '__myalloc_is lab' -a 'layout brk mmap pool heap fit'
complete -c myalloc -n '__myalloc_is diff' -F
complete -c myalloc -n "__myalloc_is run record check" \
    -a "(__fish_complete_subcommand --fcs-skip=2)"
