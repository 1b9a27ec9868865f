// Everything at once: eight goroutines that never yield, the garbage collector
// at 5 percent, children started and waited for, and a CPU profile.
//
//	spin [PROFILE [MILLISECONDS]]
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	spinners = 8
	children = 4
)

var (
	stop    uint32
	results [spinners]uint64
	sink    []byte
)

//go:noinline
func spin(seed uint64) uint64 {
	x := seed + 1
	for atomic.LoadUint32(&stop) == 0 {
		for i := 0; i < 1<<20; i++ { // no call: preempted by a signal
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
	}
	return x
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "spin:", err)
		os.Exit(1)
	}
}

func startChildren() {
	self, err := os.Executable()
	check(err)
	for i := 0; i < children; i++ {
		check(exec.Command("/bin/true").Run())
		out, err := exec.Command(self, "-child").Output()
		check(err)
		if string(out) != "child\n" {
			check(fmt.Errorf("the child said %q", out))
		}
	}
}

func allocate(until time.Time) {
	for time.Now().Before(until) {
		sink = make([]byte, 64<<10)
		runtime.Gosched()
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-child" {
		fmt.Println("child")
		return
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(5)
	}
	runtime.GOMAXPROCS(spinners + 2)
	if len(os.Args) > 1 {
		file, err := os.Create(os.Args[1])
		check(err)
		check(pprof.StartCPUProfile(file))
		defer file.Close()
		defer pprof.StopCPUProfile()
	}
	duration := 300
	if len(os.Args) > 2 {
		var err error
		duration, err = strconv.Atoi(os.Args[2])
		check(err)
	}
	end := time.Now().Add(time.Duration(duration) * time.Millisecond)
	var all sync.WaitGroup
	for i := 0; i < spinners; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			results[i] = spin(uint64(i))
		}(i)
	}
	startChildren()
	allocate(end)
	atomic.StoreUint32(&stop, 1)
	all.Wait()
	fmt.Printf("spin: %d goroutines, %d children\n", spinners, 2*children)
}
