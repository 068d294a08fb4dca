# gnuplot.sh - gnuplot draws a surface
# needs: gnuplot
# packages: gnuplot-nox
# serves: gnuplot
run gnuplot -e 'set term svg; set isosamples 60; splot sin(x)*cos(y)' | digest
