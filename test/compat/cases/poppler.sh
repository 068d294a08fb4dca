# poppler.sh - pdftotext and pdftoppm
# needs: gs pdftotext pdftoppm
# packages: poppler-utils ghostscript
# serves: pdftotext pdftoppm
echo '/Courier findfont 9 scalefont setfont
    1 1 70 {dup 10 mul 20 exch moveto 9 string cvs show} for showpage' |
    gs -q -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -sOutputFile=in.pdf -
run pdftotext in.pdf - | digest
run pdftoppm -r 60 in.pdf | digest
