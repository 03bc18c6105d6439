// SPDX-License-Identifier: Apache-2.0
// Go's contexts without and with a deadline, made and cancelled: alone, and while there are many with deadlines.
package main

import (
	"context"
	"math"
	"math/rand"
	"runtime"
	"time"
)

// A time that the program does not reach, in no order.
func randomTime() time.Duration {
	return time.Hour + time.Duration(rand.Intn(1<<31))*time.Microsecond
}

// The best of several rounds, for other work on the machine only ever makes a round slower.
func perCall(calls int, once func()) float64 {
	best := math.Inf(1)
	for round := 0; round < 10; round++ {
		best = math.Min(best, nanoseconds(calls, once)/float64(calls))
	}
	return best
}

func main() {
	runtime.GOMAXPROCS(2)
	rounds := option("rounds", 100_000)
	nodes := option("nodes", 1_000_000)
	parent, end := context.WithCancel(context.Background())
	defer end()
	plain := func() {
		_, cancel := context.WithCancel(parent)
		cancel()
	}
	withDeadline := func() {
		_, cancel := context.WithTimeout(parent, randomTime())
		cancel()
	}
	report("plain_ns", perCall(rounds, plain))
	report("deadline_ns", perCall(rounds, withDeadline))

	live := make([]context.CancelFunc, 0, nodes)
	spent := nanoseconds(nodes, func() {
		_, cancel := context.WithTimeout(parent, randomTime())
		live = append(live, cancel)
	})
	report("deadline_among_many_ns", perCall(rounds, withDeadline))
	start := time.Now()
	for i := nodes - 1; i >= 0; i-- {
		live[i]()
	}
	spent += float64(time.Since(start).Nanoseconds())
	report("many_ns", spent/float64(nodes))
}
