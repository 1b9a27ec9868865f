// The second program of the article: no server, no net. Says hello, logs what
// the runtime says of its memory, and sleeps.
package main

import (
	"fmt"
	"log"
	"runtime"
	"time"
)

func main() {
	fmt.Println("hello")
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		log.Printf("Sys = %d, HeapAlloc = %d", m.Sys, m.HeapAlloc)
		time.Sleep(10 * time.Second)
	}
}
