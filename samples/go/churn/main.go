// Eight threads that allocate, map, advise and unmap memory, N rounds each.
// What it prints depends on N alone.
//
//	churn [N]
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
)

const (
	threads = 8
	page    = 4096
)

var sink [threads][]byte

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// round maps a few pages, writes to them, gives some back, unmaps them, and
// returns what it read.
func round(thread, i int) uint64 {
	size := (1 + (thread+i)%16) * page
	mem, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	must(err)
	sum := uint64(0)
	for at := 0; at < size; at += page {
		mem[at] = byte(thread + i + at/page)
		sum += uint64(mem[at])
	}
	must(syscall.Madvise(mem[:page], syscall.MADV_DONTNEED))
	sum += uint64(mem[0])
	must(syscall.Mprotect(mem, syscall.PROT_READ))
	must(syscall.Munmap(mem))
	sink[thread] = make([]byte, 1000+i%50000)
	return sum + uint64(len(sink[thread]))
}

func main() {
	n := 1000
	if len(os.Args) > 1 {
		var err error
		n, err = strconv.Atoi(os.Args[1])
		must(err)
	}
	var sums [threads]uint64
	var all sync.WaitGroup
	for thread := 0; thread < threads; thread++ {
		all.Add(1)
		go func(thread int) {
			defer all.Done()
			runtime.LockOSThread()
			for i := 0; i < n; i++ {
				sums[thread] += round(thread, i)
			}
		}(thread)
	}
	all.Wait()
	total := uint64(0)
	for _, sum := range sums {
		total = total*31 + sum
	}
	fmt.Printf("churn %d rounds, %d threads, checksum %016x\n", n, threads, total)
}
