# vim.sh - vim: edits a file by a script
# needs: vim.tiny
# packages: vim-tiny
# serves: vim.tiny
# quick: yes
words 5000 >text
run vim.tiny -es -u NONE -c '%s/a/AAAA/ge' -c '%s/AAAA/b/ge' \
    -c 'g/7$/d' -c 'wq! result' text </dev/null || true
digest <result
