# git.sh - clone, log, blame, repack, gc and fsck of this project's own history.
. test/support/scene.sh
programs=(git)
children=()

# One frozen copy for both runs: the project may be committed to meanwhile.
export HISTORY=$stage/history.git
cat >"$stage/gitconfig" <<'CONFIG'
[safe]
    directory = *
[user]
    name = scene
    email = scene@localhost
[init]
    defaultBranch = main
CONFIG
export GIT_CONFIG_GLOBAL=$stage/gitconfig GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z'
if git -C "$project" rev-parse HEAD >/dev/null 2>&1; then
    git clone -q --bare "$project" "$HISTORY"
else
    git init -q "$stage/import" && cp -r "$project/src" "$project/test" "$stage/import" &&
        git -C "$stage/import" add . && git -C "$stage/import" commit -qm 'Import the project' &&
        git clone -q --bare "$stage/import" "$HISTORY"
fi

scene() {
    git clone -q --no-local "$HISTORY" copy && cd copy && git checkout -q -B main || return
    git log --stat | sha256sum
    for step in {1..30}; do
        seq "$step" $((step * 700)) >"file$((step % 5))"
        git add . && git commit -qm "Step $step" || return
    done
    git blame file3 | sha256sum
    git checkout -q -b side HEAD~10 && seq 1 100 >other || return
    git add . && git commit -qm 'Side' || return
    git merge -q -m 'Merge' main || return
    git log --oneline --graph | sha256sum
    git repack -q -adf --window=20 --threads=2
    git gc -q --aggressive --prune=now
    git fsck --full --strict 2>&1 | sort
    git count-objects
    git grep -c '9' -- file3
    git diff HEAD~3 | sha256sum
    git archive HEAD | sha256sum
}
compare_scene
