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

# The options that take a value: of a file, or another one.
set -g __myalloc_of_files -o --output -t --timeline -p --profile --svg
set -g __myalloc_of_values $__myalloc_of_files -l --limit -n --count -d --delay --color --lang

# True behind one of these options.
function __myalloc_after
    contains -- (commandline -opc)[-1] $argv
end

# True until the first word behind the command that is neither an option nor the value of one: a
# program has its own options.
function __myalloc_at_options
    set -l words (commandline -opc)
    test (count $words) -gt 1; or return 1
    set -l is_value 0
    for word in $words[3..-1]
        if test $is_value = 1
            set is_value 0
        else if not string match -q -- '-*' $word
            return 1
        else
            contains -- $word $__myalloc_of_values; and set is_value 1
        end
    end
    test $is_value = 0
end

function __myalloc_is
    contains -- (__myalloc_command) $argv
end

# True where a word of one of these commands stands, and no value of an option.
function __myalloc_at_word_of
    __myalloc_is $argv; and not __myalloc_after $__myalloc_of_values
end

complete -c myalloc -f
complete -c myalloc -n 'not __myalloc_command >/dev/null' -a '(__myalloc_commands)'
complete -c myalloc -n '__myalloc_at_options; and string match -q -- "-*" (commandline -ct)' \
    -a '(__myalloc_options)'
complete -c myalloc -n '__myalloc_at_word_of maps watch heap profile purge' -a '(__fish_complete_pids)'
complete -c myalloc -n '__myalloc_is profile; and not __myalloc_at_options' -a 'start stop dump'
complete -c myalloc -n '__myalloc_at_word_of lab' -a 'layout brk mmap pool heap fit'
complete -c myalloc -n '__myalloc_at_word_of diff profile' -F
complete -c myalloc -n '__myalloc_at_word_of run record check' \
    -a "(__fish_complete_subcommand --fcs-skip=2)"
complete -c myalloc -n '__myalloc_after $__myalloc_of_files' -F
complete -c myalloc -n '__myalloc_after --color' -a 'auto always never'
complete -c myalloc -n '__myalloc_after --lang' -a 'en ko'
