// SPDX-License-Identifier: Apache-2.0
// The same with rayon: each level spawns a task in a scope, which waits for it.
#[path = "../common/bench.rs"]
mod bench;

fn descend(depth: i64) -> i64 {
    if depth == 0 {
        return 1;
    }
    let mut below = 0;
    rayon::scope(|scope| scope.spawn(|_| below = descend(depth - 1)));
    1 + below
}

fn main() {
    let rounds = bench::option("rounds", 2_000);
    let depth = bench::option("depth", 20);
    bench::in_pool(bench::option("bound", 2), || {
        let mut tasks = 0;
        let time = bench::nanoseconds(|| (0..rounds).for_each(|_| tasks += descend(depth)));
        bench::report("ns_per_task", time / tasks as f64);
    });
}
