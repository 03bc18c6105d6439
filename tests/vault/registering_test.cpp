// SPDX-License-Identifier: Apache-2.0
// The cost of declaring many automatics.
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <threadgroup/thread_group.hpp>
#include <threadgroup/vault.hpp>

namespace registering_test {
namespace {

// What this thread has computed so far: what else runs on the machine does not count.
std::chrono::nanoseconds processor_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// A chain of so many automatics, declared from its end: a search from an output goes through all that are
// there.
std::chrono::nanoseconds time_to_declare(std::size_t count) {
  std::vector<tg::Key<int>> keys;
  for (std::size_t i = 0; i <= count; ++i) keys.emplace_back("key " + std::to_string(i));
  tg::KeyList list;
  for (const auto& key : keys) list.add(key);
  tg::Vault vault("v", list);
  tg::ThreadGroup group("g");
  const auto begin = processor_time();
  for (std::size_t i = count; i > 0; --i) {
    vault.automatic(group, tg::inputs(keys[i - 1]), tg::outputs(keys[i]), [](int value) { return value; });
  }
  return processor_time() - begin;
}

TEST(Registering, eight_times_as_many_automatics_take_little_more_than_eight_times_as_long) {
  constexpr std::size_t kFew = 60;
  // Searches through all others would take 64 times as long, and more. A busy machine may spoil a try.
  double best = 1e9;
  for (int i = 0; i < 5 && best > 24; ++i) {
    auto few = std::chrono::nanoseconds::max();
    for (int j = 0; j < 3; ++j) few = std::min(few, time_to_declare(kFew));
    best = std::min(
        best, static_cast<double>(time_to_declare(8 * kFew).count()) / static_cast<double>(few.count()));
  }
  EXPECT_LT(best, 24);
}

}  // namespace
}  // namespace registering_test
