# bc.sh - bc and dc: long numbers
# needs: bc
# packages: bc
# serves: bc
# quick: yes
echo 'scale=600; 4*a(1); 7^2000 % 1000003' | run bc -l | digest
