# python.sh - python3 with every object from malloc: json, dicts, threads, processes
# needs: /usr/bin/python3
# packages: python3
# serves: python3
# timeout: 180
# quick: yes
export PYTHONMALLOC=malloc PYTHONHASHSEED=1
cat >work.py <<'SOURCE'
import hashlib, json, multiprocessing, subprocess, sys, threading, zlib

def digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]

def work(seed):
    return digest({i * seed % 3001: "x" * (i % 300) for i in range(8000)})

if __name__ == "__main__":
    data = [{"i": i, "s": "x" * (i % 50), "l": list(range(i % 7))} for i in range(60000)]
    print(digest(json.loads(json.dumps(data))))
    results = {}
    threads = [threading.Thread(target=lambda s=s: results.update({s: work(s)})) for s in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print(sorted(results.items()))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(work, range(6)))
    print(subprocess.run([sys.executable, "-c", "print(3 ** 50)"], capture_output=True).stdout)
    print(zlib.crc32(zlib.compress(bytes(range(256)) * 4000)))
    try:
        # More than the addresses there are: for less, some allocators promise memory that the
        # system does not have, and the machine runs out of it.
        b"x" * (1 << 47)
    except MemoryError:
        print("MemoryError")
SOURCE
run /usr/bin/python3 work.py
