// SPDX-License-Identifier: Apache-2.0
// Many wait groups, and a goroutine for each.
package main

import (
	"runtime"
	"sync"
)

func main() {
	runtime.GOMAXPROCS(2)
	groups := make([]sync.WaitGroup, option("groups", 100))
	once := func() {
		for i := range groups {
			group := &groups[i]
			group.Add(1)
			go group.Done()
		}
		for i := range groups {
			groups[i].Wait()
		}
	}
	once() // the threads and the memory are there from here on
	rounds := option("tasks", 200_000) / len(groups)
	if rounds < 1 {
		rounds = 1
	}
	report("ns_per_task", nanoseconds(rounds, once)/float64(rounds*len(groups)))
}
