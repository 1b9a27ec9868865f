// Prints runtime.MemStats when nothing changes it any more, and waits until
// standard input ends.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"unsafe"
)

var (
	stats runtime.MemStats
	text  [1024]byte
	used  int
	kept  [][]byte
)

func add(s string) {
	used += copy(text[used:], s)
}

func number(name string, value uint64) {
	var digits [20]byte
	at := len(digits)
	for more := true; more; more = value > 0 {
		at--
		digits[at] = byte('0' + value%10)
		value /= 10
	}
	add(name)
	add(" ")
	used += copy(text[used:], digits[at:])
	add("\n")
}

// Objects of all sizes, and stacks of other goroutines, of which half end.
func work() {
	done := make(chan bool)
	for i := 0; i < 200; i++ {
		kept = append(kept, make([]byte, 1<<uint(i%20)))
		go func(stay bool) {
			var room [9000]byte
			room[i%len(room)] = 1
			done <- room[0] == 1
			for stay {
				<-make(chan bool)
			}
		}(i%2 == 0)
		<-done
	}
	for i := range kept {
		if i%3 == 0 {
			kept[i] = nil
		}
	}
}

// raw does not tell the scheduler, so no other goroutine runs meanwhile.
func raw(number, fd, at, size uintptr) uintptr {
	n, _, _ := syscall.RawSyscall(number, fd, at, size)
	return n
}

func main() {
	runtime.GOMAXPROCS(1)
	sample := []metrics.Sample{{Name: "/memory/classes/heap/stacks:bytes"}}
	for i := 0; i < 3; i++ {
		work()
		metrics.Read(sample) // what is counted moves to another place
	}
	debug.SetGCPercent(-1)
	debug.FreeOSMemory()
	work()
	if len(os.Args) > 1 { // and profiling has its table
		runtime.MemProfileRate = 1
		work()
	}
	runtime.ReadMemStats(&stats)
	number("sys", stats.Sys)
	number("heap_sys", stats.HeapSys)
	number("heap_idle", stats.HeapIdle)
	number("heap_inuse", stats.HeapInuse)
	number("heap_released", stats.HeapReleased)
	number("stack_inuse", stats.StackInuse)
	number("stack_sys", stats.StackSys)
	number("mspan_inuse", stats.MSpanInuse)
	number("mspan_sys", stats.MSpanSys)
	number("mcache_inuse", stats.MCacheInuse)
	number("mcache_sys", stats.MCacheSys)
	number("buck_hash_sys", stats.BuckHashSys)
	number("gc_sys", stats.GCSys)
	number("other_sys", stats.OtherSys)
	add("end\n")
	raw(syscall.SYS_WRITE, 1, uintptr(unsafe.Pointer(&text)), uintptr(used))
	raw(syscall.SYS_READ, 0, uintptr(unsafe.Pointer(&text)), 1)
}
