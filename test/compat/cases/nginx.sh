# nginx.sh - nginx with two workers under wrk
# needs: nginx wrk
# packages: nginx-light wrk
# serves: nginx wrk
mkdir logs html && words 3000 >html/index.html && echo small >html/small && chmod -R a+rX .
cat >nginx.conf <<CONFIG
daemon off;
worker_processes 2;
error_log $PWD/error.log;
pid $PWD/pid;
user root;
events { worker_connections 256; }
http {
    access_log off;
    gzip on;
    gzip_types *;
    client_body_temp_path $PWD/body;
    proxy_temp_path $PWD/proxy;
    fastcgi_temp_path $PWD/fastcgi;
    uwsgi_temp_path $PWD/uwsgi;
    scgi_temp_path $PWD/scgi;
    server { listen 127.0.0.1:$PORT; root $PWD/html; }
}
CONFIG
serve nginx -c "$PWD/nginx.conf" -e "$PWD/error.log"
until_true bash -c "</dev/tcp/127.0.0.1/$PORT"
run wrk -t2 -c20 -d2s -H 'Accept-Encoding: gzip' "http://127.0.0.1:$PORT/" >wrk.log
grep -E 'Socket errors|Non-2xx' wrk.log || echo "no errors"
note "$(grep -o '[0-9]* requests in' wrk.log | cut -d ' ' -f 1) requests"
fetch() {
    exec 3<>"/dev/tcp/127.0.0.1/$PORT"
    printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3
    sed '1,/^\r$/d' <&3
}
fetch /index.html | digest
kill -QUIT "$server"
wait "$server" && echo "ended well"
