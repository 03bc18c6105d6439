// SPDX-License-Identifier: Apache-2.0
// An abandonable call in a task, and one that nothing can stop.
#include <threadgroup/abandonable.hpp>
#include <threadgroup/threadgroup.hpp>

#include "work.hpp"

void bench::run(const Options& options) {
  const std::int64_t calls = options.get("tasks", 20'000);
  report("direct_ns", ns_per_call(calls, [](int n) { return tg::abandonable(&add_one, n); }));
  tg::ThreadGroup group("calls");
  group.post(
      [&] { report("call_ns", ns_per_call(calls, [](int n) { return tg::abandonable(&add_one, n); })); });
  group.join();
}
