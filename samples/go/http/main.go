// An HTTP server: /bar answers a greeting.
package main

import (
	"fmt"
	"html"
	"log"
	"net/http"
	"os"
)

func handle(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "Hello, %q", html.EscapeString(r.URL.Path))
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	http.HandleFunc("/bar", handle)
	log.Fatal(http.ListenAndServe(":"+port, nil))
}
