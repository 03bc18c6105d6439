// SPDX-License-Identifier: Apache-2.0
// The report of tasks that still run.
#include "tree/still_running.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include <fmt/format.h>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/statistics.hpp>

#include "base/escaped.hpp"
#include "base/report.hpp"
#include "tree/counts_text.hpp"
#include "tree/forest.hpp"

namespace tg::inline v0::detail {

namespace {
constexpr std::size_t kMostNamed = 10;

// ", with group 'a', with group 'b'"
std::string groups_below(const NodeSnapshot& call, const ForestSnapshot& snapshot) {
  std::string text;
  const NodeSnapshot* const end = snapshot.nodes.data() + snapshot.nodes.size();
  for (const NodeSnapshot* node = &call + 1; node != end && node->depth > call.depth; ++node) {
    const bool is_group = node->kind == NodeKind::group || node->kind == NodeKind::daemon;
    if (is_group) text += escaped(fmt::format(", with group '{}'", node->name));
  }
  return text;
}
}

void report_still_running(const Node& group, const std::string& when) {
  const std::vector<RunningTask> running = Forest::instance().running_tasks(group);
  const std::string begin =
      fmt::format("threadgroup: {}, group '{}' still ", when, escaped(Forest::instance().path(group)));
  std::string text;
  for (std::size_t i = 0; i < std::min(running.size(), kMostNamed); ++i) {
    text += fmt::format("{}runs task {}\n", begin, escaped(running[i].str()));
  }
  if (running.size() > kMostNamed)
    text += fmt::format("{}runs {} more\n", begin, running.size() - kMostNamed);
  if (const std::size_t pending = group.statistics().pending; pending > 0)
    text += fmt::format("{}has {} pending\n", begin, pending);
  report_lines(text);
}

void report_abandoned(const std::string& when, const ForestSnapshot& snapshot) {
  const std::vector<const NodeSnapshot*> calls = snapshot.abandoned();
  if (calls.empty()) return;
  std::string text = fmt::format("threadgroup: {}, {} abandoned call{} still run{}", when, calls.size(),
                                 calls.size() == 1 ? "" : "s", calls.size() == 1 ? "s" : "");
  for (std::size_t i = 0; i < std::min(calls.size(), kMostNamed); ++i) {
    const NodeSnapshot& call = *calls[i];
    text += escaped(
        fmt::format("{} '{}', {}", i == 0 ? ":" : ";", call.name, describe_abandoned(*call.abandoned)));
    text += groups_below(call, snapshot);
  }
  if (calls.size() > kMostNamed) text += fmt::format("; and {} more", calls.size() - kMostNamed);
  report_lines(text + "\n");
}

}  // namespace tg::inline v0::detail
