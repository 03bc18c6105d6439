// SPDX-License-Identifier: Apache-2.0
// Schedules of one body in a child process, which may crash or hang without harm to the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sim/chooser.hpp"
#include "sim/explorer.hpp"

namespace tg::test {

/// What the tests change for one child.
struct ChildSettings {
  static constexpr int kSecondsWithoutPoint = 20;

  int seconds_without_point = kSecondsWithoutPoint;
  bool wants_digest = false;
  /// Of the schedules only these: "pct", "walk", "dpor", "search" (without reduction); empty: all that are
  /// useful.
  std::string only = std::getenv("TG_SIM_STRATEGY") != nullptr ? std::getenv("TG_SIM_STRATEGY") : "";
};
extern ChildSettings settings;

struct Outcome {
  bool failed = false;
  std::uint64_t schedules = 0;
  std::uint64_t points = 0;
  std::uint64_t digest = 0;
  std::size_t searched = 0;
  std::size_t needless = 0;
  std::size_t deviations = 0;
  bool all = false;
  bool is_reduced = false;
  std::string word;  // of the last schedule
  std::string why;
};

Outcome explore_in_child(std::uint64_t schedules, void (*body)(), bool be_quiet);
/// One schedule in this process. Prints its trace.
void replay(const sim::Plan& plan, void (*body)());
/// For schedules in this process.
sim::Explorer& scheduler_here();
/// The body calls `weak_memory`, which the search with reduction does not know.
void note_weak_memory();

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise);

}  // namespace tg::test
