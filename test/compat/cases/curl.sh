# curl.sh - curl fetches over http from a python server
# needs: curl /usr/bin/python3
# packages: curl python3
# serves: curl python3
# quick: yes
mkdir www && words 20000 >www/text
serve /usr/bin/python3 -m http.server --bind 127.0.0.1 --directory www "$PORT"
until_true bash -c "</dev/tcp/127.0.0.1/$PORT"
run curl -sS --parallel "http://127.0.0.1:$PORT/text" -o one "http://127.0.0.1:$PORT/text" -o two
cmp one two && digest <one
run curl -sS -o /dev/null -w '%{http_code} %{size_download}\n' "http://127.0.0.1:$PORT/none"
