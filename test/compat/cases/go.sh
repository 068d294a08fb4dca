# go.sh - a go program with C parts: malloc from its threads; go itself is static, without malloc
# needs: go gcc
# packages: golang-go gcc
# serves: program
# timeout: 120
cat >main.go <<'SOURCE'
package main

// #include <stdlib.h>
// #include <string.h>
import "C"
import "fmt"

func main() {
	results := make(chan int)
	for t := 0; t < 8; t++ {
		go func(t int) {
			sum := 0
			for i := 0; i < 3000; i++ {
				p := C.malloc(C.size_t(i + t))
				C.memset(p, 1, C.size_t(i+t))
				s := C.CString(fmt.Sprint(i))
				sum += int(C.strlen(s))
				C.free(p)
				defer C.free(p2(s))
			}
			results <- sum
		}(t)
	}
	total := 0
	for t := 0; t < 8; t++ {
		total += <-results
	}
	fmt.Println(total)
}
SOURCE
sed -i 's/^import "fmt"/import (\n\t"fmt"\n\t"unsafe"\n)/; s/p2(s)/unsafe.Pointer(s)/' main.go
GO111MODULE=off GOCACHE=$PWD/cache CGO_ENABLED=1 run go build -o program main.go
run ./program
