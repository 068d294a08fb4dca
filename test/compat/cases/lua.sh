# lua.sh - lua: strings and tables by realloc
# needs: lua5.4
# packages: lua5.4
# serves: lua5.4
# quick: yes
run lua5.4 -e '
    local t = {} for i = 1, 500000 do t[i] = tostring(i) .. i end print(#table.concat(t))
    local n = 0 for i = 1, 200 do local u = {} for j = 1, 2000 do u[j] = {j} end n = n + #u end
    collectgarbage() print(n)'
