# tmux.sh - tmux: a server, a session, its screen read back
# needs: tmux
# packages: tmux
# serves: tmux
run tmux -L compat -f /dev/null new-session -d -x 80 -y 24 'printf "%s\n" hello world; sleep 20'
until_true bash -c 'tmux -L compat capture-pane -p | grep -q world'
run tmux -L compat capture-pane -p | head -2
run tmux -L compat kill-server
