// SPDX-License-Identifier: Apache-2.0
// The program of those who use the component sim: an hour passes, and an exception is thrown and caught meanwhile.
#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>

int main() {
  const tg::sim::Report report = tg::sim::explore({.schedules = 100}, [] {
    const tg::TimePoint begin = tg::now();
    tg::ThreadGroup group("consumer");
    auto answer = group.add_task([]() -> int {
      tg::thread_utils::event_aware_sleep(std::chrono::hours(1));
      throw std::runtime_error("no answer");
    });
    try {
      answer.get();
    } catch (const std::runtime_error&) {
      tg::sim::check(tg::now() - begin == tg::Duration(std::chrono::hours(1)), "an hour has passed");
      return;
    }
    tg::sim::fail("the exception was lost");
  });
  std::printf("%s\n", report.str().c_str());
  return report.failure ? 1 : 0;
}
