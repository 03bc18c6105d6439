// SPDX-License-Identifier: Apache-2.0
// Go's mutex and channel between goroutines.
package main

import (
	"runtime"
	"sort"
	"sync"
	"time"
)

// Nanoseconds per call if the goroutines make `calls` together, `body(t)` the part of one: the median of some rounds.
func perCall(goroutines, calls int, body func(t int)) float64 {
	rounds := make([]float64, option("repeats", 3))
	for r := range rounds {
		var ready, done sync.WaitGroup
		begin := make(chan bool)
		ready.Add(goroutines)
		done.Add(goroutines)
		for t := 0; t < goroutines; t++ {
			go func(t int) {
				ready.Done()
				<-begin
				body(t)
				done.Done()
			}(t)
		}
		ready.Wait()
		start := time.Now()
		close(begin)
		done.Wait()
		rounds[r] = float64(time.Since(start).Nanoseconds()) / float64(calls)
	}
	sort.Float64s(rounds)
	return rounds[len(rounds)/2]
}

func mutex(goroutines int) float64 {
	each := option("tasks", 1_000_000)
	var lock sync.Mutex
	locked := 0
	return perCall(goroutines, each*goroutines, func(int) {
		for i := 0; i < each; i++ {
			lock.Lock()
			locked++
			lock.Unlock()
		}
	})
}

func queue(senders int) float64 {
	each := option("tasks", 1_000_000) / 10 / senders
	numbers := make(chan int, 64)
	return perCall(2*senders, each*senders, func(t int) {
		if t < senders {
			for i := 0; i < each; i++ {
				numbers <- i
			}
		} else {
			for i := 0; i < each; i++ {
				<-numbers
			}
		}
	})
}

func main() {
	runtime.GOMAXPROCS(2)
	report("mutex_ns", mutex(1))
	report("mutex_4_threads_ns", mutex(4))
	report("queue_1_to_1_ns", queue(1))
	report("queue_4_to_4_ns", queue(4))
}
