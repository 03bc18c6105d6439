// SPDX-License-Identifier: Apache-2.0
// A simulation whose task blocks without the library is named.
#include "simulation/watchdog.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <string>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

namespace tg {
namespace {

using namespace std::chrono_literals;

TEST(Watchdog, names_a_task_that_blocks_without_the_library) {
  sim::Watchdog::set_patience(50ms, 10ms);
  ::testing::internal::CaptureStderr();
  static_cast<void>(sim::explore({.schedules = 1}, [] {
    ThreadGroup group("Jobs");
    group.post([] { ::poll(nullptr, 0, 500); });
    group.join();
  }));
  const std::string said = ::testing::internal::GetCapturedStderr();
  sim::Watchdog::set_patience(20s, 1s);
  EXPECT_NE(said.find("has made no step for"), std::string::npos) << said;
}

}  // namespace
}  // namespace tg
