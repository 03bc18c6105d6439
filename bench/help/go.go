// SPDX-License-Identifier: Apache-2.0
// A goroutine, and a wait for it or for its result.
package main

import (
	"runtime"
	"sync"
)

func main() {
	runtime.GOMAXPROCS(2)
	rounds := option("rounds", 100_000)
	var group sync.WaitGroup
	join := func() {
		group.Add(1)
		go group.Done()
		group.Wait()
	}
	results := make(chan int, 1)
	get := func() {
		go func() { results <- 1 }()
		<-results
	}
	report("join_ns", nanoseconds(rounds, join)/float64(rounds))
	report("get_ns", nanoseconds(rounds, get)/float64(rounds))
}
