// SPDX-License-Identifier: Apache-2.0
// A wait group is made and waits for one goroutine.
package main

import (
	"runtime"
	"sync"
)

func main() {
	runtime.GOMAXPROCS(2)
	rounds := option("rounds", 20_000)
	once := func() {
		var group sync.WaitGroup
		group.Add(1)
		go group.Done()
		group.Wait()
	}
	report("us", nanoseconds(rounds, once)/1e3/float64(rounds))
}
