// The same as debug.c for debuggers that know Go: main.leaf, main.middle.
package main

import (
	"fmt"
	"os"
	"strconv"
)

var aborts bool

//go:noinline
func leaf(n int) int {
	if aborts {
		panic("aborts")
	}
	return n + 1
}

//go:noinline
func middle(n int) int {
	return leaf(n) * 2
}

func main() {
	sum := 0
	n, _ := strconv.Atoi(os.Args[1])
	switch os.Args[1] {
	case "wait":
		fmt.Println("here", os.Getpid())
		var b [1]byte
		for {
			if got, _ := os.Stdin.Read(b[:]); got != 1 {
				break
			}
			sum += middle(n)
			n++
		}
	case "abort":
		aborts = true
		n = 1
		fallthrough
	default:
		for i := 0; i < n; i++ {
			sum += middle(i)
		}
	}
	fmt.Println("sum", sum)
}
