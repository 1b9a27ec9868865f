// Lists the sections of an ELF file, of itself by default: address, size, name.
//
//	sections [FILE]
package main

import (
	"debug/elf"
	"fmt"
	"os"
)

func main() {
	path := "/proc/self/exe"
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	file, err := elf.Open(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sections:", err)
		os.Exit(1)
	}
	defer file.Close()
	for _, s := range file.Sections {
		fmt.Printf("%#14x %10d %s\n", s.Addr, s.Size, s.Name)
	}
}
