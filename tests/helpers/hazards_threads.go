// Go's part of hazards_threads.c: each thread ends, for the goroutine that it
// belongs to does.
//
//	hazards_threads short N
//	hazards_threads exec
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
)

func short(count int) {
	done := make(chan int)
	for i := 0; i < count; i += 8 {
		for j := 0; j < 8; j++ {
			go func() {
				runtime.LockOSThread() // for good
				mem, err := syscall.Mmap(-1, 0, 4096,
					syscall.PROT_READ, syscall.MAP_PRIVATE|
						syscall.MAP_ANON)
				if err != nil || syscall.Munmap(mem) != nil {
					panic(err)
				}
				done <- 1
			}()
		}
		for j := 0; j < 8; j++ {
			<-done
		}
	}
	fmt.Println(count, "threads")
}

func main() {
	if os.Args[1] == "short" {
		count, _ := strconv.Atoi(os.Args[2])
		short(count)
		return
	}
	runtime.LockOSThread() // the first thread is main's
	ready := make(chan error)
	go func() {
		runtime.LockOSThread()
		ready <- syscall.Exec(os.Args[0],
			[]string{os.Args[0], "short", "8"}, os.Environ())
	}()
	panic(<-ready)
}
