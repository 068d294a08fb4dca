# povray.sh - povray renders with threads
# needs: povray
# packages: povray
# serves: povray
echo 'camera { location <0,1,-4> look_at 0 } light_source { <5,5,-5> color rgb 1 }
#declare I=0; #while (I<300)
    sphere { <mod(I,20)/5-2, mod(I,7)/4-1, I/100>, 0.1 pigment { color rgb <I/300,0.5,1> } }
    #declare I=I+1; #end' >in.pov
run povray +Iin.pov +W160 +H120 -D +WT2 +FP +Oout.ppm >log 2>&1
grep -av '^# Render Date' out.ppm | digest
