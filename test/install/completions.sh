# completions.sh - zsh and fish complete commands, options and experiments as the command has them.
# (bash: test/cli/real.sh.)
. test/support/tap.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH=$PWD/build:$PATH
commands=$(myalloc --help | sed -n '/^Commands/,/^Examples/s/^  \([a-z]\+\) .*/\1/p')

# options COMMAND - as its help tells them.
options() {
    myalloc "$1" --help | grep -o -e ' --[a-z]\+' | tr -d ' ' | sort
}

# by_fish LINE - the words that fish offers for it.
by_fish() {
    HOME=$work fish --no-config -c "source src/man/completion/myalloc.fish; complete -C '$1'" |
        cut -f 1 | sort
}

# by_zsh LINE - what zsh prints when Tab is pressed behind it, in a terminal of its own.
cp src/man/completion/myalloc.zsh "$work/_myalloc"
cat >"$work/press.zsh" <<'END'
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "TERM=dumb HOME=$1 fpath=($1 \$fpath) LISTMAX=10000; stty cols 200 rows 500
    autoload -Uz compinit; compinit -D -u; bindkey '^I' list-choices; PS1='rea''dy> '"
zpty -r z line '*ready> *'
zpty -w -n z "$2"$'\t'$'\x15print do\'\'ne\n'
zpty -r z line '*'$'\n''done*'
print -r -- $line
END
by_zsh() {
    timeout 60 zsh -f "$work/press.zsh" "$work" "$1" | tr -d '\r' | sed '1d; /^ready> /,$d'
}
zsh_options() {
    by_zsh "$1" | grep -o '^--[a-z]\+' | sort
}

for command in $commands; do
    claim "fish offers the options of $command" equal "$(by_fish "myalloc $command --")" \
        "$(options "$command")"
done
claim "fish offers the commands" equal "$(by_fish 'myalloc ')" "$(sort <<<"$commands")"
claim "fish offers experiments" grep -qx brk <(by_fish 'myalloc lab ')
claim "fish leaves a program its own options" not grep -qx -e --compare \
    <(by_fish 'myalloc run ls --')
claim "fish offers options behind one that has a value" equal "$(by_fish 'myalloc watch -n 5 --')" \
    "$(options watch)"
claim "fish offers files to write" equal "$(by_fish 'myalloc run -o Makefil')" Makefile
claim "fish offers what follows --color" grep -qx never <(by_fish 'myalloc maps --color ')
claim "fish offers what profile does" grep -qx start <(by_fish 'myalloc profile 1 st')
claim "fish offers files to diff" grep -qx src/ <(by_fish 'myalloc diff sr')

if ! script -qc true /dev/null >/dev/null 2>&1; then
    echo "# skipped: completion of zsh: no terminal can be made here (/dev/pts is missing?)"
else
    for command in $commands; do
        claim "zsh offers the options of $command" equal "$(zsh_options "myalloc $command --")" \
            "$(options "$command")"
    done
    claim "zsh offers the commands" equal \
        "$(by_zsh 'myalloc ' | sed -n 's/^\([a-z]\+\)  *-- .*/\1/p' | sort)" \
        "$(sort <<<"$commands")"
    claim "zsh offers experiments" grep -qw brk <(by_zsh 'myalloc lab ')
    claim "zsh offers what profile does" grep -qw dump <(by_zsh 'myalloc profile 1 ')
    claim "zsh completes the program of run" grep -q -e '^--all ' \
        <(by_zsh 'myalloc run ls --')
    claim "and leaves it its own options" not grep -q -e '^--compare ' \
        <(by_zsh 'myalloc run ls --')
fi
finish
