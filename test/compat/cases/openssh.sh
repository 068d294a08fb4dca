# openssh.sh - ssh-keygen makes keys, signs and verifies
# needs: ssh-keygen
# packages: openssh-client
# serves: ssh-keygen
# quick: yes
for type in ed25519 ecdsa rsa; do
    run ssh-keygen -q -t $type -N secret -f key-$type -C test
    run ssh-keygen -l -f key-$type | cut -d ' ' -f 1,3,4
done
run ssh-keygen -q -p -P secret -N '' -f key-ed25519
echo text >file && run ssh-keygen -q -Y sign -f key-ed25519 -n test file
echo "me $(cat key-ed25519.pub)" >signers
run ssh-keygen -q -Y verify -f signers -I me -n test -s file.sig <file && echo verified
