# ssh.sh - ssh to sshd with its sandbox of seccomp, on 127.0.0.1
# needs: /usr/sbin/sshd ssh ssh-keygen
# packages: openssh-server openssh-client
# serves: sshd ssh
mkdir -p /run/sshd 2>/dev/null || true
ssh-keygen -q -t ed25519 -N '' -f hostkey && ssh-keygen -q -t ed25519 -N '' -f key
cp key.pub authorized && chmod 600 authorized
printf '%s\n' "Port $PORT" 'ListenAddress 127.0.0.1' "HostKey $PWD/hostkey" "PidFile $PWD/pid" \
    "AuthorizedKeysFile $PWD/authorized" 'StrictModes no' 'UsePAM no' 'PermitRootLogin yes' >config
serve /usr/sbin/sshd -D -e -f "$PWD/config"
until_true bash -c "</dev/tcp/127.0.0.1/$PORT"
for ((i = 0; i < 3; i++)); do
    run ssh -n -F none -i key -p "$PORT" -o StrictHostKeyChecking=no \
        -o "UserKnownHostsFile=$PWD/known" "$(id -un)@127.0.0.1" \
        'echo over ssh; exit 3' 2>client.log || echo "status $?"
done
