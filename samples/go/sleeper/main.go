// Says "ready" and sleeps until something ends it. With -handle it prints the
// signal it got and exits with 3.
//
//	sleeper [-handle]
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-handle" {
		got := make(chan os.Signal, 1)
		signal.Notify(got, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT,
			syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2)
		fmt.Println("ready")
		fmt.Println("got", <-got)
		os.Exit(3)
	}
	fmt.Println("ready")
	for {
		time.Sleep(time.Hour)
	}
}
