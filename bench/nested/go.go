// SPDX-License-Identifier: Apache-2.0
// The same in Go: each level starts a goroutine and receives its result.
package main

import "runtime"

func descend(depth int) int {
	if depth == 0 {
		return 1
	}
	below := make(chan int, 1)
	go func() { below <- descend(depth - 1) }()
	return 1 + <-below
}

func main() {
	runtime.GOMAXPROCS(option("bound", 2))
	depth := option("depth", 20)
	tasks := 0
	time := nanoseconds(option("rounds", 2000), func() { tasks += descend(depth) })
	report("ns_per_task", time/float64(tasks))
}
