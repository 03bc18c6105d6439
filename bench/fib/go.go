// SPDX-License-Identifier: Apache-2.0
// The same in Go: each level starts two goroutines and waits for both.
package main

import (
	"runtime"
	"sync"
)

func fib(n int) int {
	if n < 2 {
		return n
	}
	var first, second int
	var both sync.WaitGroup
	both.Add(2)
	go func() { first = fib(n - 1); both.Done() }()
	go func() { second = fib(n - 2); both.Done() }()
	both.Wait()
	return first + second
}

func main() {
	runtime.GOMAXPROCS(2)
	n := option("fib", 20)
	rounds := option("rounds", 20)
	fib(n)
	report("ms", nanoseconds(rounds, func() { fib(n) })/1e6/float64(rounds))
}
