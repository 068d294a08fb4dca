# python.sh - python3 with every object from malloc: json, threads, subprocesses, multiprocessing.
. test/support/scene.sh
programs=(/usr/bin/python3)
children=()

scene() {
    export PYTHONMALLOC=malloc PYTHONHASHSEED=1
    cat >scene.py <<'SOURCE'
import hashlib, json, multiprocessing, random, re, subprocess, sys, threading, zlib

def digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]

def work(seed):
    chooser = random.Random(seed)
    table = {}
    for i in range(8000):
        table[chooser.randrange(3000)] = "x" * chooser.randrange(300)
    return digest(sorted(table.items()))

def main():
    data = [{"i": i, "s": "x" * (i % 50), "l": list(range(i % 7))} for i in range(60000)]
    print(digest(json.loads(json.dumps(data))))
    results = {}
    threads = [threading.Thread(target=lambda s=s: results.update({s: work(s)})) for s in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print(sorted(results.items()))
    for method in "fork", "spawn":
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(work, range(6)))
    for i in range(5):
        command = [sys.executable, "-c", f"print({i} ** 50)"]
        print(subprocess.run(command, capture_output=True).stdout)
    text = "".join(chr(97 + i * i % 26) for i in range(400000))
    print(len(re.findall("a.*?b", text)), zlib.crc32(zlib.compress(text.encode())))
    try:
        b"x" * (1 << 46)
    except MemoryError:
        print("MemoryError")

if __name__ == "__main__":
    main()
SOURCE
    /usr/bin/python3 scene.py
}
compare_scene
