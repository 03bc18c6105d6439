// SPDX-License-Identifier: Apache-2.0
// The pair of fences orders a store and a load on each of two threads.
#include "runtime/asymmetric_fence.hpp"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "base/spin.hpp"

namespace tg::inline v0::runtime {
namespace asymmetric_fence_test {
namespace {

using tg::detail::relax;

void wait_until_it_is(const std::atomic<int>& number, int round) {
  for (int looks = 0; number.load(std::memory_order_acquire) != round; ++looks)
    looks < 1'000 ? relax() : std::this_thread::yield();
}

TEST(AsymmetricFence, one_of_two_threads_finds_what_the_other_stored) {
  if (!has_heavy_fence()) GTEST_SKIP() << "the system has no heavy fence";
  constexpr int kRounds = 20'000;
  alignas(64) std::atomic<int> often{0};  // the last round in which each side stored
  alignas(64) std::atomic<int> seldom{0};
  alignas(64) std::atomic<int> begun{0};
  alignas(64) std::atomic<int> seen_by_often{0};
  alignas(64) std::atomic<int> done{0};
  std::thread other([&] {
    for (int round = 1; round <= kRounds; ++round) {
      wait_until_it_is(begun, round);
      for (int i = 0; i < round % 64; ++i) relax();  // meets the fence at different moments
      often.store(round, std::memory_order_relaxed);
      light_fence();
      seen_by_often.store(seldom.load(std::memory_order_relaxed), std::memory_order_relaxed);
      done.store(round, std::memory_order_release);
    }
  });
  int missed = 0;
  for (int round = 1; round <= kRounds; ++round) {
    begun.store(round, std::memory_order_release);
    for (int i = 0; i < round % 8; ++i) relax();
    seldom.store(round, std::memory_order_relaxed);
    heavy_fence();
    const int seen = often.load(std::memory_order_relaxed);
    wait_until_it_is(done, round);
    if (seen != round && seen_by_often.load(std::memory_order_relaxed) != round) ++missed;
  }
  other.join();
  EXPECT_EQ(missed, 0);
}

}  // namespace
}  // namespace asymmetric_fence_test
}  // namespace tg::inline v0::runtime
