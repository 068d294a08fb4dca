# pandoc.sh - pandoc, in haskell: a runtime with mappings of its own
# needs: pandoc
# packages: pandoc
# serves: pandoc
for ((i = 0; i < 300; i++)); do
    printf '## Title %d\n\n* item *%d*\n* `code`\n\nText %d.\n\n' $i $i $i
done >in.md
run pandoc -f markdown -t html in.md | digest
run pandoc -f markdown -t docx in.md -o out.docx && run pandoc -f docx -t plain out.docx | digest
