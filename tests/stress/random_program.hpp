// SPDX-License-Identifier: Apache-2.0
// A random program of groups in several flows, after which everything must add up and the forest be empty.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tg::stress {

/// Where the program runs, and how much it does.
struct Surroundings {
  int steps = 0;
  int flows = 4;  // that drive the program
  bool threads_may_fail = false;
  bool memory_may_fail = false;
  /// Runs these at the same time, the last one in the calling flow, and returns when all have ended.
  std::function<void(const std::vector<std::function<void()>>&)> run_together;
  std::function<void()> pause;  // while another flow has to go on
  std::function<void(int count)> refuse_threads;

  bool tasks_may_fail() const { return threads_may_fail || memory_may_fail; }
};

/// Returns what did not add up.
std::vector<std::string> run_random_program(std::uint64_t seed, const Surroundings& surroundings);

}  // namespace tg::stress
