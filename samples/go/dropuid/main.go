// Drops root's uid when it has it, and then allocates.
package main

import (
	"fmt"
	"os"
	"syscall"
)

const nobody = 65534

func main() {
	if os.Getuid() == 0 {
		if err := syscall.Setuid(nobody); err != nil {
			fmt.Fprintln(os.Stderr, "dropuid: setuid:", err)
			os.Exit(1)
		}
	}
	var blocks [][]byte
	for i := 0; i < 64; i++ {
		block := make([]byte, 256<<10)
		block[0] = 1
		blocks = append(blocks, block)
	}
	fmt.Println("dropuid: root:", os.Getuid() == 0, len(blocks), "blocks")
}
