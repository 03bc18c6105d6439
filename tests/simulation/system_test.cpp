// SPDX-License-Identifier: Apache-2.0
// What a simulated program does not get from the real system.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include <threadgroup/posix.hpp>
#include <threadgroup/process.hpp>
#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

namespace tg {
namespace system_test {
namespace {

TEST(SimulatedSystem, has_no_system_calls_and_no_processes) {
  std::vector<std::string> said;
  const auto try_to = [&](auto f) {
    try {
      f();
    } catch (const std::logic_error& error) {
      const std::string what = error.what();
      said.push_back(what.substr(0, what.rfind(':')));
    }
  };
  const sim::Report report = sim::explore({.schedules = 1}, [&] {
    said.clear();  // the program runs more than once
    try_to([] { posix::read(0, nullptr, 0); });
    try_to([] { stop_fd(); });
    try_to([] { run_process({"true"}); });
  });
  EXPECT_FALSE(report.failure) << report.str();
  ASSERT_EQ(said.size(), 3U);
  EXPECT_EQ(said[0].rfind("tg::posix::read", 0), 0U) << said[0];
  EXPECT_EQ(said[1].rfind("tg::stop_fd", 0), 0U) << said[1];
  EXPECT_EQ(said[2].rfind("tg::Process", 0), 0U) << said[2];
}

}  // namespace
}  // namespace system_test
}  // namespace tg
