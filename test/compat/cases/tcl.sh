# tcl.sh - tcl: lists, strings, an interpreter within
# needs: tclsh8.6
# packages: tcl8.6
# serves: tclsh8.6
# quick: yes
run tclsh8.6 <<'SOURCE'
for {set i 0} {$i < 200000} {incr i} {
    dict set d [expr {$i % 5003}] [string repeat x [expr {$i % 90}]]
}
puts [dict size $d]
set child [interp create]
puts [$child eval {set l {}; for {set i 0} {$i < 50000} {incr i} {lappend l $i}; llength $l}]
interp delete $child
SOURCE
