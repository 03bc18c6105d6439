// SPDX-License-Identifier: Apache-2.0
// What main.hpp is for the programs in C++: the options of a run, and the figures as lines of JSON.
#![allow(dead_code)] // no program uses all of it

use std::time::Instant;

/// The value of `--name`, or `otherwise`.
pub fn option(name: &str, otherwise: i64) -> i64 {
    let words: Vec<String> = std::env::args().collect();
    let wanted = format!("--{name}");
    let found = words.iter().position(|word| *word == wanted);
    found.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(otherwise)
}

/// Prints one figure.
pub fn report(figure: &str, value: f64) {
    println!("{{\"figure\": \"{figure}\", \"value\": {value:.6}}}");
}

/// The nanoseconds that `work` takes.
pub fn nanoseconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64
}

/// Runs `work` inside a pool of this many threads, as oneTBB's main thread is inside its own.
pub fn in_pool<R: Send>(threads: i64, work: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads as usize).build();
    pool.expect("a pool").install(work)
}
