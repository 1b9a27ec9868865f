// Work for bench/run.sh, as Go programs do it.
//
//	work garbage N    N binary trees of 2 MiB, most of them garbage at once
//	work http N       N requests to an HTTP server, from eight clients
//	work syscall N    getppid; prints nanoseconds per call
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

type tree struct{ left, right *tree }

func grow(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{grow(depth - 1), grow(depth - 1)}
}

var kept [8]*tree

func garbage(n int) {
	for i := 0; i < n; i++ {
		kept[i%len(kept)] = grow(16)
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func get(client *http.Client, url string) {
	response, err := client.Get(url)
	must(err)
	_, err = io.Copy(io.Discard, response.Body)
	must(err)
	response.Body.Close()
}

func serve(n int) {
	const clients = 8
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go http.Serve(listener, http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "Hello, %q", r.URL.Path)
		}))
	var all sync.WaitGroup
	for i := 0; i < clients; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			client := &http.Client{Transport: &http.Transport{}}
			for j := 0; j < n/clients; j++ {
				get(client, "http://"+listener.Addr().String())
			}
		}()
	}
	all.Wait()
}

func getppid(n int) {
	begin := time.Now()
	for i := 0; i < n; i++ {
		syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
	}
	fmt.Printf("%.3f\n", float64(time.Since(begin))/float64(n))
}

func main() {
	n, err := strconv.Atoi(os.Args[2])
	must(err)
	switch os.Args[1] {
	case "garbage":
		garbage(n)
	case "http":
		serve(n)
	case "syscall":
		getppid(n)
	}
}
