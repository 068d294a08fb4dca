# apt.sh - apt-cache and dpkg: C++ over mappings
# needs: apt-cache dpkg-query
# packages: apt dpkg
# serves: apt-cache dpkg-query
# quick: yes
run apt-cache policy bash | digest
run dpkg-query -W | digest
run apt-cache --no-all-versions show bash 2>/dev/null | digest
