#!/bin/bash
# check_sequences.sh [LIBRARY] [GOLDEN] - the restartable sequences as the compiler and the linker
# made them, of x86-64 and of aarch64, against what rseq(2) asks for: a descriptor each; its address
# is stored right before the first instruction; the last instruction stores, and is the only one
# that stores into the slot; another one writes the link of a block at most; no call and no way back
# in between, and no jump into it; the signature stands before the abort address, which lies
# outside. And their shapes are those of the golden file, so that every change shows in a commit.
# OBJDUMP, READELF: those of the library's kind of CPU.
set -u
library=${1:-./libmyalloc.so}
golden=${2:-test/golden/sequences.txt}
objdump=${OBJDUMP:-objdump}
readelf=${READELF:-readelf}

machine=$("$readelf" -h "$library" | sed -n 's/^ *Machine: *//p')
section=$("$readelf" -SW "$library" | sed -n 's/^ *\[ *[0-9]*\] __rseq_cs  *//p')
[ -n "$section" ] || { echo "$library: has no sequences" && exit 1; }

# The words of the descriptors, the relocations that set the addresses in them, the instructions.
read_all() {
    "$objdump" -s -j __rseq_cs "$library" |
        awk '/^ [0-9a-f]+ / { print "words", $1, substr($0, index($0, $2), 35) }'
    "$readelf" -rW "$library" | awk '$3 ~ /_RELATIVE$/ { print "relative", $1, $4 }'
    "$objdump" -d -w "$library" |
        awk -F'\t' -v OFS='\t' \
            '/^ *[0-9a-f]+:\t/ { gsub(/[ :]/, "", $1); print "code " $1, $2, $3, $4 }'
}

shapes=$(read_all | awk -v machine="$machine" -v section="$section" '
    function hex(text, at, value) {
        value = 0
        text = tolower(text)
        sub(/^0x/, "", text)
        for (at = 1; at <= length(text); at++) {
            value = value * 16 + index("0123456789abcdef", substr(text, at, 1)) - 1
        }
        return value
    }
    function little(text, swapped, at) {
        swapped = ""
        for (at = 1; at < length(text); at += 2) swapped = substr(text, at, 2) swapped
        return hex(swapped)
    }
    function fail(text) { printf "the sequence at %x: %s\n", start, text; failed = 1 }
    # The last operand of x86 code, the first one of aarch64 code in brackets, is what is written.
    function is_store(op, operands) {
        if (is_arm) return op ~ /^(st|cas|swp|ld(add|clr|eor|set|smax|smin|umax|umin))/
        if (op ~ /^(cmp|test|lea|nop|bt[lqw]?$|j|mul|div|push|call|ud)/) return 0
        return operands ~ /\)$/ && (operands ~ /,[^()]*\([^()]*\)$/ || operands !~ /,/)
    }
    function is_leaving(op) {
        return op ~ (is_arm ? "^(bl|blr|br|ret|svc|brk|udf)$" : "^(call|ret|syscall|int3|ud)")
    }
    function is_branch(op) { return op ~ (is_arm ? "^(b|b[.].*|cbn?z|tbn?z)$" : "^j") }
    # Where a direct branch leads to: the hexadecimal number ahead of <symbol>.
    function target(operands, part) {
        part = operands
        sub(/ *<.*/, "", part)
        sub(/^.*[ ,]/, "", part)
        return part ~ /^[0-9a-f]+$/ ? hex(part) : -1
    }
    function base(operands, part) {
        part = operands
        sub("^[^[(]*[[(]", "", part)
        sub("[],)].*", "", part)
        return part
    }
    # 1 when instructions a and b put the address of the descriptor into a register and store it.
    function is_announced(a, b, descriptor, page, low) {
        if (is_arm) {
            if (op[a - 1] != "adrp" || op[a] != "add" || op[b] != "str") return 0
            page = target(operands[a - 1])
            low = operands[a]
            if (low !~ /#0x/) low = "#0x0"
            sub(/^.*#0x/, "", low)
            return page + hex(low) == descriptor && operands[b] ~ /#8\]$/
        }
        low = operands[a]
        sub(/^.*# */, "", low)
        return op[a] == "lea" && target(low) == descriptor && operands[b] ~ /,0x8\([^,]*\)$/
    }
    function has_signature(at) {
        if (!(at in number)) return 0
        at = number[at] - 1
        if (is_arm) return raw[at] == "d428bc00"
        return raw[at] ~ /^0f b9 3d 53 30 05 53 *$/
    }
    function look(descriptor, i, first, last, branches, stores, shape) {
        start = addend[descriptor + 8]
        end = start + word[descriptor + 16] + word[descriptor + 20] * 4294967296
        if (word[descriptor] != 0 || word[descriptor + 4] != 0) fail("version or flags")
        if (!(start in number) || !(end in number) || end <= start) {
            fail("does not begin and end with instructions")
            return
        }
        first = number[start]
        last = number[end] - 1
        if (!is_announced(first - 2, first - 1, descriptor)) fail("not announced right before it")
        for (i = first; i <= last; i++) {
            inside[i] = i > first
            if (is_leaving(op[i])) fail("calls or leaves: " op[i])
            if (is_branch(op[i])) {
                branches++
                if (target(operands[i]) < 0) fail("a jump to nobody knows where")
                if (target(operands[i]) >= start && target(operands[i]) <= address[i]) {
                    fail("a way back")
                }
            }
            if (is_store(op[i], operands[i])) {
                stores++
                if (i != last && base(operands[i]) == base(operands[last])) fail("two commits")
            }
        }
        if (!is_store(op[last], operands[last])) fail("its last instruction does not store")
        if (stores > 2) fail("more than the commit and a link")
        abort = addend[descriptor + 24]
        if (!has_signature(abort)) fail("no signature before the abort address")
        if (abort >= start && abort < end) fail("the abort address lies inside")
        shape = (is_arm ? "aarch64" : "x86-64") " instructions " last - first + 1
        shapes[shape " branches " branches + 0 " stores " stores + 0] = 1
    }
    BEGIN { is_arm = machine ~ /AArch64/ }
    $1 == "words" {
        for (i = 3; i <= NF && length($i) == 8; i++) word[hex($2) + (i - 3) * 4] = little($i)
    }
    $1 == "relative" { addend[hex($2)] = hex($3) }
    $1 == "code" {
        sub(/^code /, "")
        split($0, part, "\t")
        address[++count] = hex(part[1])
        number[address[count]] = count
        raw[count] = part[2]
        sub(/ +$/, "", raw[count])
        if (part[4] == "" && part[3] ~ / /) { # x86: in one field
            part[4] = part[3]
            sub(/^[^ ]+ +/, "", part[4])
            sub(/ .*/, "", part[3])
        }
        op[count] = part[3]
        operands[count] = part[4]
        sub(/ +(\/\/.*|<[^>]*>)$/, "", operands[count])
        if (is_arm) sub(/ *\/\/.*/, "", operands[count])
    }
    END {
        split(section, field, " +")
        descriptors = hex(field[2])
        bytes = hex(field[4])
        if (bytes == 0 || bytes % 32 != 0) { print "no whole descriptors"; exit 1 }
        for (at = descriptors; at < descriptors + bytes; at += 32) look(at)
        for (i = 1; i <= count; i++) {
            to = is_branch(op[i]) ? target(operands[i]) : -1
            if (to in number && inside[number[to]] == 1) {
                start = to
                fail("is jumped into")
            }
        }
        for (shape in shapes) print shape
        exit failed
    }') || { echo "$library:" && echo "$shapes" && exit 1; }

shapes=$(LC_ALL=C sort <<<"$shapes")
cpu=${shapes%% *}
if ! diff <(grep "^$cpu " "$golden") - <<<"$shapes"; then
    echo "$library: its sequences differ from $golden"
    exit 1
fi
