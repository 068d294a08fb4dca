# imagemagick.sh - imagemagick: threads of OpenMP, large pixel caches
# needs: convert
# packages: imagemagick
# serves: convert
run convert -seed 7 -size 900x900 gradient:red-blue -swirl 60 -blur 0x4 -resize 50% PNG24:o.png
run convert o.png -depth 8 rgb:- | digest
run convert o.png -rotate 17 -colorspace Gray -posterize 9 -depth 8 gray:- | digest
