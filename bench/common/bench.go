// SPDX-License-Identifier: Apache-2.0
// What main.hpp is for the programs in C++: the options of a run, and the figures as lines of JSON.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// The value of `--name`, or `otherwise`.
func option(name string, otherwise int) int {
	for i, word := range os.Args[:len(os.Args)-1] {
		if word == "--"+name {
			if value, err := strconv.Atoi(os.Args[i+1]); err == nil {
				return value
			}
		}
	}
	return otherwise
}

// Prints one figure.
func report(figure string, value float64) {
	fmt.Printf("{\"figure\": \"%s\", \"value\": %.6g}\n", figure, value)
}

// The nanoseconds that `rounds` calls of `once` take.
func nanoseconds(rounds int, once func()) float64 {
	start := time.Now()
	for i := 0; i < rounds; i++ {
		once()
	}
	return float64(time.Since(start).Nanoseconds())
}
