// Says hello, and with a count N what the runtime says of its memory, N times
// a second apart, on stderr.
//
//	hello [N]
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

func main() {
	fmt.Println("hello world")
	if len(os.Args) < 2 {
		return
	}
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "hello: not a count:", os.Args[1])
		os.Exit(2)
	}
	for i := 0; i < n; i++ {
		if i > 0 {
			time.Sleep(time.Second)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprintf(os.Stderr, "Sys = %d, HeapAlloc = %d\n", m.Sys, m.HeapAlloc)
	}
}
