# rsync.sh - rsync copies a tree and then the differences
# needs: rsync
# packages: rsync
# serves: rsync
# quick: yes
mkdir tree && for ((i = 0; i < 60; i++)); do words $((i * 50)) >tree/$i; done
run rsync -a tree/ copy/
diff -r tree copy && echo same
echo more >>tree/59
touch -d 2001-02-03 tree/59 # else the second decides whether rsync reports a changed time
run rsync -a --no-whole-file --checksum --itemize-changes tree/ copy/
diff -r tree copy && echo same
