// Waits for any child: a program that has started none has none.
package main

import (
	"fmt"
	"syscall"
)

func main() {
	pid, err := syscall.Wait4(-1, nil, 0, nil)
	if err == syscall.ECHILD {
		fmt.Println("wait4: ECHILD")
	} else {
		fmt.Println("wait4:", pid, err)
	}
}
