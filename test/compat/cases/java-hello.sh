# java-hello.sh - the java compiler and a program of one line
# needs: javac java
# packages: openjdk-17-jdk-headless
# serves: java javac
cat >Hello.java <<'SOURCE'
public class Hello {
    public static void main(String[] a) { System.out.println("hello " + a.length); }
}
SOURCE
run javac Hello.java
run java -Xmx256m Hello one two
