# Golden output of every command on the fixed tree; sourced by run.sh.
golden help "$myalloc" --help
for command in run record maps watch top heap profile purge diff lab check doctor; do
    golden "help-$command" "$myalloc" "$command" --help
done
check version "$("$myalloc" --version)" = \
    "myalloc $(sed -n 's/^#define MYALLOC_VERSION "\(.*\)"/\1/p' include/myalloc.h)"
golden maps fake "$myalloc" maps 4242
golden maps-explain fake "$myalloc" maps --explain 4242
golden maps-json fake "$myalloc" maps --json 4242
golden maps-colour fake "$myalloc" maps --color always 4242
golden maps-gone fake "$myalloc" maps 99
golden maps-svg fake "$myalloc" maps --svg /dev/stdout -o /dev/null 4242
golden diff "$myalloc" diff $here/diff/a.json $here/diff/b.json
golden diff-stats "$myalloc" diff --stats $here/diff/a.json $here/diff/b.json
golden diff-json "$myalloc" diff --json $here/diff/a.json $here/diff/b.json
golden diff-alike "$myalloc" diff $here/diff/a.json $here/diff/a.json
golden heap-kernel fake "$myalloc" heap 4242
golden top-none fake "$myalloc" top -b -n 1
golden doctor sh -c "MYALLOC_PROC_ROOT='$tmp/tree' '$myalloc' doctor |
    grep -A1 -E '^[a-z]+ +/(proc|sys)/'"
golden lab-fit-en "$myalloc" lab fit --lang en
golden lab-fit-ko "$myalloc" lab fit --lang ko
golden lab-unknown "$myalloc" lab nothing

"$tmp/page_writer" good "$page" 4242
golden maps-page fake "$myalloc" maps --explain 4242
code maps-page-picture 0 fake "$myalloc" maps --svg "$tmp/maps.html" -o /dev/null 4242
check maps-page-findings "$(grep -c 'longest free span' "$tmp/maps.html")" -eq 1
golden heap fake "$myalloc" heap 4242
golden heap-json fake "$myalloc" heap --json 4242
"$tmp/page_writer" good "$tmp/run/myalloc/99" 99
golden heap-left fake "$myalloc" heap 99
golden heap-left-json fake "$myalloc" heap --json 99
rm -f "$tmp/run/myalloc/99"
golden heap-svg fake "$myalloc" heap --svg /dev/stdout -o /dev/null 4242
golden top fake "$myalloc" top -b -n 1
golden top-json fake "$myalloc" top --json -n 1
golden watch fake "$myalloc" watch -n 1 4242
rm -f "$page"
