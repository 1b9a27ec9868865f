// Prints its arguments, and the size and a checksum of its environment.
package main

import (
	"fmt"
	"hash/fnv"
	"os"
)

func main() {
	fmt.Println("argc", len(os.Args))
	for i, arg := range os.Args {
		fmt.Printf("argv[%d] %q\n", i, arg)
	}
	size := 0
	sum := fnv.New64a()
	for _, entry := range os.Environ() {
		size += len(entry) + 1
		sum.Write([]byte(entry))
		sum.Write([]byte{0})
	}
	fmt.Printf("env %d bytes, %d entries, checksum %016x\n",
		size, len(os.Environ()), sum.Sum64())
}
