// Prints its process id.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Println(os.Getpid())
}
