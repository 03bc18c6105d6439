// SPDX-License-Identifier: Apache-2.0
// The same call as a thread of std::async, and the plain call.
#include <future>

#include "work.hpp"

void bench::run(const Options& options) {
  const std::int64_t calls = options.get("tasks", 20'000);
  report("direct_ns", ns_per_call(calls, &add_one));
  report("call_ns",
         ns_per_call(calls, [](int n) { return std::async(std::launch::async, &add_one, n).get(); }));
}
