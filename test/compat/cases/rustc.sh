# rustc.sh - rustc compiles a program of threads and strings, which then runs
# needs: rustc
# packages: rustc
# serves: rustc program
# timeout: 90
cat >a.rs <<'SOURCE'
use std::collections::HashMap;
fn main() {
    let threads: Vec<_> = (1..5u64).map(|seed| std::thread::spawn(move || {
        let mut table: HashMap<u64, String> = HashMap::new();
        for i in 0..50000u64 { table.entry(i * seed % 3001).or_default().push_str(&i.to_string()); }
        table.values().map(|text| text.len()).sum::<usize>()
    })).collect();
    for thread in threads { println!("{}", thread.join().unwrap()); }
}
SOURCE
run rustc -O -o program a.rs
run ./program
