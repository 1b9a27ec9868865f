// A heap of 200 MiB: half of it in large blocks, half in small objects, from
// several goroutines, with deep stacks and a collection in between.
package main

import (
	"fmt"
	"runtime"
	"sync"
)

const (
	mib     = 1 << 20
	workers = 4
)

type node struct {
	next *node
	data [240]byte
}

var (
	blocks [workers][][]byte
	lists  [workers]*node
)

// deep makes the stack of its goroutine grow.
func deep(n int) int {
	var pad [256]byte
	if n == 0 {
		return int(pad[0])
	}
	return deep(n-1) + int(pad[n%len(pad)])
}

// fill makes 50 MiB, all of it touched and reachable.
func fill(worker int) {
	for i := 0; i < 25; i++ {
		block := make([]byte, mib)
		for at := range block {
			block[at] = byte(worker)
		}
		blocks[worker] = append(blocks[worker], block)
	}
	for i := 0; i < 25*mib/256; i++ {
		lists[worker] = &node{next: lists[worker]}
	}
	deep(2000)
}

func main() {
	var all sync.WaitGroup
	for worker := 0; worker < workers; worker++ {
		all.Add(1)
		go func(worker int) {
			defer all.Done()
			fill(worker)
		}(worker)
	}
	all.Wait()
	runtime.GC()
	nodes, bytes := 0, 0
	for worker := range lists {
		for at := lists[worker]; at != nil; at = at.next {
			nodes++
		}
		for _, block := range blocks[worker] {
			bytes += len(block)
		}
	}
	fmt.Println(nodes, "nodes,", bytes, "bytes in blocks")
}
