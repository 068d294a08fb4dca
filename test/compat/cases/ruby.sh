# ruby.sh - ruby: strings, hashes, threads, fork, compaction of its heap
# needs: ruby
# packages: ruby
# serves: ruby
cat >work.rb <<'SOURCE'
require "digest"
rows = (1..300_000).map { |i| { i => "s" * (i % 60) } }
puts rows.sum { |row| row.values[0].size }
threads = 4.times.map { |t| Thread.new { (1..20_000).map { |i| (i * t).to_s * 3 }.join } }
puts threads.map { |thread| Digest::SHA256.hexdigest(thread.value)[0, 16] }
GC.start
GC.compact
$stdout.flush
pid = fork { puts rows.size; $stdout.flush; exit!(3) }
Process.wait(pid)
puts $?.exitstatus
SOURCE
run ruby work.rb
