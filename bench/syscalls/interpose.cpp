// SPDX-License-Identifier: Apache-2.0
// The C library's `read` in a program with threadgroup::interpose, beside the function that it has replaced.
#include <threadgroup/threadgroup.hpp>

#include <dlfcn.h>

#include <thread>

#include "work.hpp"

void bench::run(const Options& options) {
  const std::int64_t calls = options.get("calls", 100'000);
  auto* const replaced = reinterpret_cast<decltype(&::read)>(::dlsym(RTLD_NEXT, "read"));
  // In a second thread, as in ours.cpp.
  std::jthread([&] {
    const auto [plain, interposed] = ns_per_ready_read(calls, replaced, &::read);
    report("outside_ns", interposed);
    report("outside_more_ns", interposed - plain);
  }).join();
  tg::ThreadGroup group("reads");
  group.post([&] {
    const auto [plain, interposed] = ns_per_ready_read(calls, replaced, &::read);
    report("read_ns", interposed);
    report("read_ratio", interposed / plain);
  });
  group.join();
}
