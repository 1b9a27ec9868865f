// Dereferences nil: recovered and told, and with "die" once more, unrecovered.
//
//	nil [die]
package main

import (
	"fmt"
	"os"
)

type node struct {
	value int
	next  *node
}

//go:noinline
func value(n *node) int {
	return n.value
}

func recovered() {
	defer func() {
		fmt.Println("recovered:", recover())
	}()
	fmt.Println(value(nil))
}

func main() {
	recovered()
	if len(os.Args) > 1 && os.Args[1] == "die" {
		fmt.Println(value(nil))
	}
}
