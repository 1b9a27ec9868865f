// An HTTP server that logs, once a second and at each request, what the
// runtime says of its memory.
package main

import (
	"fmt"
	"html"
	"log"
	"net/http"
	"os"
	"runtime"
	"time"
)

func logMemStats() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	log.Printf("Sys = %d, HeapAlloc = %d", m.Sys, m.HeapAlloc)
}

func handle(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "Hello, %q", html.EscapeString(r.URL.Path))
	logMemStats()
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	http.HandleFunc("/bar", handle)
	go func() {
		for {
			logMemStats()
			time.Sleep(time.Second)
		}
	}()
	log.Fatal(http.ListenAndServe(":"+port, nil))
}
