# node.sh - nodejs: buffers outside of its heap, worker threads, zlib
# needs: node
# packages: nodejs
# serves: node
cat >work.js <<'SOURCE'
const { Worker, isMainThread, parentPort } = require("worker_threads");
const zlib = require("zlib");
const crypto = require("crypto");
function work() {
  const kept = new Map();
  for (let i = 0; i < 200000; i++) kept.set("k" + (i % 5003), Buffer.alloc(i % 700, i));
  const hash = crypto.createHash("sha256");
  for (const value of kept.values()) hash.update(value);
  return hash.digest("hex").slice(0, 16);
}
if (isMainThread) {
  console.log(work());
  console.log(zlib.gunzipSync(zlib.gzipSync(Buffer.alloc(3000000, "abc"))).length);
  for (let i = 0; i < 3; i++) new Worker(__filename).on("message", (text) => console.log(text));
} else {
  parentPort.postMessage(work());
}
SOURCE
run node work.js
