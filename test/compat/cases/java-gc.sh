# java-gc.sh - java: threads that make garbage, direct buffers, System.trim_native_heap
# needs: java
# packages: openjdk-17-jdk-headless
# serves: java
cat >Garbage.java <<'SOURCE'
import java.nio.ByteBuffer;
import java.util.*;
import java.util.zip.*;
public class Garbage {
    static long work(int seed) {
        long sum = 0;
        Map<Integer, byte[]> kept = new HashMap<>();
        for (int i = 0; i < 200000; i++) {
            kept.put(i * seed % 2003, new byte[i % 900]);
            if (i % 2000 == 1) { ByteBuffer.allocateDirect(i).put(new byte[1]); }
        }
        for (byte[] value : kept.values()) { sum += value.length; }
        CRC32 crc = new CRC32();
        Deflater deflater = new Deflater();
        byte[] out = new byte[100000];
        deflater.setInput(new byte[500000]);
        deflater.finish();
        crc.update(out, 0, deflater.deflate(out));
        deflater.end();
        return sum * 31 + crc.getValue();
    }
    public static void main(String[] a) throws Exception {
        long[] results = new long[6];
        Thread[] threads = new Thread[6];
        for (int t = 0; t < 6; t++) {
            int index = t;
            threads[t] = new Thread(() -> results[index] = work(index + 3));
            threads[t].start();
        }
        for (Thread thread : threads) { thread.join(); }
        System.out.println(Arrays.toString(results));
        Process process = new ProcessBuilder("echo", "child").inheritIO().start();
        System.out.println(process.waitFor());
    }
}
SOURCE
run java -Xmx128m -XX:+UseParallelGC Garbage.java
run java -Xmx128m -XX:+UseG1GC -XX:NativeMemoryTracking=summary Garbage.java
