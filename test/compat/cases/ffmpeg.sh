# ffmpeg.sh - ffmpeg: encodes and decodes with threads and aligned buffers
# needs: ffmpeg
# packages: ffmpeg
# serves: ffmpeg
# timeout: 90
run ffmpeg -v error -f lavfi -i testsrc2=s=640x360:d=2 -threads 2 \
    -c:v mpeg4 -flags +bitexact out.avi
run ffmpeg -v error -i out.avi -threads 1 -f framemd5 - | grep -v '^#software' | digest
run ffmpeg -v error -f lavfi -i testsrc2=s=640x360:d=1 -c:v libx264 \
    -preset fast -f null - && echo encoded
run ffmpeg -v error -f lavfi -i sine=d=2 -af aresample=22050,volume=0.5 -f md5 - | cut -c 1-8
