# awk.sh - gawk: arrays and strings
# needs: gawk
# packages: gawk
# serves: gawk
# quick: yes
words 200000 | run gawk '{ count[$1] += $2; text = text substr($1, 1, 1) }
    END { for (word in count) sum += count[word]; print length(count), sum, length(text) }'
