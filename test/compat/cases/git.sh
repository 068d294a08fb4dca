# git.sh - git: commits, repack by threads, log, blame, fsck
# needs: git
# packages: git
# serves: git
export GIT_AUTHOR_DATE='1600000000 +0000' GIT_COMMITTER_DATE='1600000000 +0000'
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example
export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example
run git init -q -b main repo
cd repo
for ((i = 1; i <= 12; i++)); do
    words $((i * 400)) | sed "s/^a/$i/" >text
    run git add text
    run git commit -q -m "version $i"
done
run git repack -adfq --window=20 --threads=2
run git fsck --full --strict
run git log --stat | digest
run git blame text | digest
run git gc -q --prune=now
run git clone -q . ../clone
run git -C ../clone rev-parse HEAD
