// SPDX-License-Identifier: Apache-2.0
// A task in a scope of rayon, which waits for it, inside the pool: so the waiting thread runs the task.
#[path = "../common/bench.rs"]
mod bench;

fn get() -> i64 {
    let mut result = 0;
    rayon::scope(|scope| scope.spawn(|_| result = 1));
    result
}

fn main() {
    let rounds = bench::option("rounds", 100_000);
    bench::in_pool(2, || {
        let join = bench::nanoseconds(|| (0..rounds).for_each(|_| rayon::scope(|scope| scope.spawn(|_| ()))));
        bench::report("join_ns", join / rounds as f64);
        let mut sum = 0;
        let gets = bench::nanoseconds(|| (0..rounds).for_each(|_| sum += get()));
        assert_eq!(sum, rounds);
        bench::report("get_ns", gets / rounds as f64);
    });
}
