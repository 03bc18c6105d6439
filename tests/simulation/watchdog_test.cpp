// SPDX-License-Identifier: Apache-2.0
// A simulation whose task blocks without the library is named.
#include "simulation/watchdog.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

namespace tg {
namespace watchdog_test {
namespace {

using namespace std::chrono_literals;

// The task blocks until the report has come: it is the only reader of what goes to stderr.
TEST(Watchdog, names_a_task_that_blocks_without_the_library) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const int before = ::dup(STDERR_FILENO);
  ::dup2(pipe[1], STDERR_FILENO);
  sim::Watchdog::set_patience(50ms, 10ms);
  std::string said;
  const sim::Report report = sim::explore({.schedules = 1}, [&] {
    ThreadGroup group("Jobs");
    group.post([&] {
      pollfd end{pipe[0], POLLIN, 0};
      if (!said.empty() || ::poll(&end, 1, 60'000) != 1) return;  // a schedule runs twice
      std::array<char, 1024> text{};
      said.assign(text.data(), static_cast<std::size_t>(::read(pipe[0], text.data(), text.size())));
    });
    group.join();
  });
  sim::Watchdog::set_patience(20s, 1s);
  ::dup2(before, STDERR_FILENO);
  for (const int end : {pipe[0], pipe[1], before}) ::close(end);
  EXPECT_FALSE(report.failure) << report.str();
  EXPECT_NE(said.find("has made no step for"), std::string::npos) << said;
}

}  // namespace
}  // namespace watchdog_test
}  // namespace tg
