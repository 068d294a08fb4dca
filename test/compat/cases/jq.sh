# jq.sh - jq: json in and out
# needs: jq
# packages: jq
# serves: jq
# quick: yes
run jq -nc '[range(60000) | {i: ., s: ("x" * (. % 40 + 1))}]' | run jq 'map(.s | length) | add'
