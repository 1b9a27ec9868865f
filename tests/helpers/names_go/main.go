// Prints its own stack three times over: the return addresses that a walk along
// the frame pointers finds, one "pc ADDRESS" a line, then what the runtime says
// of them, inlined calls and all: "frame FUNCTION FILE:LINE".
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"unsafe"
)

// frame returns the caller's frame pointer.
func frame() uintptr

//go:noinline
func report(where string) {
	var pcs [64]uintptr

	fmt.Println("stack", where)
	n := runtime.Callers(2, pcs[:])
	at := (*[2]uintptr)(unsafe.Pointer(frame()))
	for at[0] != 0 {
		fmt.Printf("pc %#x\n", at[1]-1)
		at = (*[2]uintptr)(unsafe.Pointer(at[0]))
	}
	fmt.Printf("pc %#x\n", at[1]-1)
	frames := runtime.CallersFrames(pcs[:n])
	for {
		f, more := frames.Next()
		fmt.Printf("frame %s %s:%d\n", f.Function, f.File, f.Line)
		if !more {
			return
		}
	}
}

type tree struct {
	left, right *tree
	name        string
}

func (t *tree) leaf() {
	report(t.name)
}

func (t *tree) walk() {
	if t.left != nil {
		t.left.leaf()
	}
	t.right.leaf()
}

func first(t *tree) { t.walk() }

func second(t *tree) {
	first(t)
}

//go:noinline
func plain(t *tree) {
	second(t)
	func() {
		second(t)
	}()
}

func main() {
	t := &tree{name: "none", left: &tree{name: "left"}, right: &tree{name: "right"}}
	plain(t)
	var once sync.Once
	once.Do(func() { plain(t) })
	done := false
	sort.Slice([]int{2, 1}, func(i, j int) bool {
		if !done {
			done = true
			second(t)
		}
		return i < j
	})
	strings.Map(func(r rune) rune {
		first(t)
		return r
	}, "x")
	fmt.Println("base", base())
}

// base returns where the program's file is mapped, in hex.
func base() string {
	self, _ := os.Readlink("/proc/self/exe")
	maps, _ := os.ReadFile("/proc/self/maps")
	for _, line := range strings.Split(string(maps), "\n") {
		if strings.HasSuffix(line, self) {
			return line[:strings.Index(line, "-")]
		}
	}
	return "0"
}
