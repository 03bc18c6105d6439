// SPDX-License-Identifier: Apache-2.0
// The same with rayon: `join` runs two closures, of which another thread may take the second.
#[path = "../common/bench.rs"]
mod bench;

fn fib(n: i64) -> i64 {
    if n < 2 {
        return n;
    }
    let (first, second) = rayon::join(|| fib(n - 1), || fib(n - 2));
    first + second
}

fn main() {
    let n = bench::option("fib", 20);
    let rounds = bench::option("rounds", 20);
    bench::in_pool(2, || {
        let mut sum = fib(n);
        let time = bench::nanoseconds(|| (0..rounds).for_each(|_| sum += fib(n)));
        std::hint::black_box(sum);
        bench::report("ms", time / 1e6 / rounds as f64);
    });
}
