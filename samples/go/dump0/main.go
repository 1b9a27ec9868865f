// Makes itself not dumpable, so that its /proc files become root's, and then
// allocates.
package main

import (
	"fmt"
	"os"
	"syscall"
)

const prSetDumpable = 4

func main() {
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetDumpable, 0, 0)
	if errno != 0 {
		fmt.Fprintln(os.Stderr, "dump0: prctl:", errno)
		os.Exit(1)
	}
	var blocks [][]byte
	for i := 0; i < 64; i++ {
		block := make([]byte, 256<<10)
		block[0] = 1
		blocks = append(blocks, block)
	}
	fmt.Println("dump0:", len(blocks), "blocks")
}
