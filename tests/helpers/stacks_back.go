// stacks_back: C code that a goroutine calls calls back into Go, three such
// calls one within the other, and there the stack and the heap grow; likewise from a thread
// that C has made.
package main

/*
#include <pthread.h>

extern void callsBack(int depth);

static volatile int calls; // so that no call is a jump

__attribute__((noinline)) static void inC(int depth)
{
	callsBack(depth);
	calls++;
}

__attribute__((noinline)) static void enters(int depth)
{
	inC(depth);
	calls++;
}

static void *thread(void *unused)
{
	enters(0);
	return unused;
}

static int inThread(void)
{
	pthread_t id;

	return pthread_create(&id, NULL, thread, NULL) ||
	       pthread_join(id, NULL);
}
*/
import "C"

import "os"

var kept [][]byte

// The goroutine's stack is another one afterwards.
//
//go:noinline
func growsHeap(deeper int) int {
	var room [512]byte

	if deeper == 0 {
		for i := 0; i < 4; i++ {
			kept = append(kept, make([]byte, 16<<20))
		}
		return len(kept)
	}
	room[deeper%512] = 1
	return growsHeap(deeper-1) + int(room[(deeper+1)%512])
}

//export callsBack
func callsBack(depth C.int) {
	growsHeap(40)
	if depth > 0 {
		C.enters(depth - 1)
		growsHeap(20)
	}
}

//go:noinline
func callsC() {
	C.enters(2)
}

func main() {
	done := make(chan bool)

	callsC()
	go func() {
		callsC()
		done <- true
	}()
	<-done
	if C.inThread() != 0 || len(kept) != 44 {
		os.Exit(1)
	}
}
