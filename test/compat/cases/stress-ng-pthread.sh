# stress-ng-pthread.sh - stress-ng: its stressor pthread, results verified
# needs: stress-ng
# packages: stress-ng
# serves: stress-ng
# timeout: 60
run stress-ng --pthread 2 --pthread-ops 6000 \
    --verify --timeout 40 --oomable --metrics-brief 2>&1 | sed 's/\[[0-9]*\]//' >log || cat log
grep -E 'fail|error|successful' log | sed 's| in .*||'
awk '/metrc/ && $5 ~ /^[0-9.]+$/ && $4 > 0 { worked = 1 }
    END { print worked ? "worked" : "did nothing" }' log
