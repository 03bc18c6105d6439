// SPDX-License-Identifier: Apache-2.0
// Running tasks as text.
#include "tree/counts_text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace tg::inline v0::detail {

std::string describe_running(std::size_t count, std::vector<RunningTask> tasks) {
  constexpr std::size_t kMostShown = 10;  // a line with a thousand names helps less
  std::stable_sort(tasks.begin(), tasks.end(),
                   [](const RunningTask& a, const RunningTask& b) { return a.running_for > b.running_for; });
  std::string text = std::to_string(count) + " running";
  for (std::size_t i = 0; i < std::min(tasks.size(), kMostShown); ++i) {
    const double seconds = static_cast<double>(tasks[i].running_for.nanos()) / 1e9;
    text += fmt::format("{}{} for {:.1f} s", i == 0 ? " (" : ", ", tasks[i].name, seconds);
  }
  if (tasks.size() > kMostShown) text += ", and " + std::to_string(tasks.size() - kMostShown) + " more";
  if (!tasks.empty()) text += ")";
  return text;
}

std::string describe_ends(const GroupStatistics& counts) {
  std::string text;
  const auto add = [&](std::uint64_t tasks, const char* how) {
    if (tasks == 0) return;
    if (!text.empty()) text += ", ";
    text += std::to_string(tasks) + how;
  };
  add(counts.succeeded, " succeeded");
  add(counts.failed, " failed");
  add(counts.stopped, " stopped");
  add(counts.skipped, " skipped");
  return text;
}

std::string describe_abandoned(const AbandonedCall& call) {
  return fmt::format("abandoned by '{}' {:.1f} s ago", call.caller,
                     static_cast<double>(call.ago.nanos()) / 1e9);
}

std::string describe_slow_stop(const StopLatency& stop) {
  constexpr Duration kSlow = Duration::from_nanos(1'000'000'000);
  if (stop.time < kSlow) return {};
  return fmt::format("; its last task, '{}', ended {:.1f} s after the stop", stop.slowest_task,
                     static_cast<double>(stop.time.nanos()) / 1e9);
}

}  // namespace tg::inline v0::detail
