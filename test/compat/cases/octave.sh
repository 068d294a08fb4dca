# octave.sh - octave: matrices, C++ throughout
# needs: octave-cli
# packages: octave
# serves: octave-cli
run octave-cli --norc --eval 'rand("seed", 1); a = rand(300); disp(size(inv(a)));
    disp(norm(a * inv(a) - eye(300)) < 1e-6); c = cell(1, 20000);
    for i = 1:20000 c{i} = repmat("x", 1, mod(i, 90)); end; disp(sum(cellfun(@length, c)))'
