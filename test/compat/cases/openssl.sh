# openssl.sh - openssl: keys, certificates, digests, secure heap
# needs: openssl
# packages: openssl
# serves: openssl
# quick: yes
words 50000 >text
run openssl dgst -sha256 text | digest
run openssl enc -aes-256-cbc -K "$(printf '%064d' 7)" -iv "$(printf '%032d' 5)" -in text | digest
run openssl req -x509 -newkey rsa:2048 -nodes \
    -keyout key -out cert -days 2 -subj /CN=test 2>/dev/null
run openssl verify -CAfile cert cert
run openssl pkeyutl -sign -inkey key -in <(head -c 20 text) -out sig && wc -c <sig
