# ghostscript.sh - ghostscript: renders, writes a pdf, reads it again
# needs: gs
# packages: ghostscript
# serves: gs
cat >in.ps <<'SOURCE'
1 1 4 { /page exch def /Helvetica findfont 12 scalefont setfont
  1 1 60 { dup 10 mul 50 exch 100 add moveto page mul 20 string cvs show } for
  1 1 200 { dup 2 mul exch 3 mul 0 0 moveto rlineto stroke } for showpage } for
SOURCE
run gs -q -dBATCH -dNOPAUSE -sDEVICE=pgmraw -r72 -sOutputFile=- in.ps | digest
run gs -q -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -sOutputFile=o.pdf in.ps
run gs -q -dBATCH -dNOPAUSE -sDEVICE=ppmraw -r50 -sOutputFile=- o.pdf | digest
