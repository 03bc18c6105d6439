// SPDX-License-Identifier: Apache-2.0
// Counting by paths. T13 and T14 are in the header.
#include "tree/path_counts.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <threadgroup/snapshot.hpp>
#include <threadgroup/statistics.hpp>

#include "base/escaped.hpp"
#include "base/planted.hpp"
#include "runtime/steady_clock.hpp"
#include "tree/forest.hpp"
#include "tree/forest_walk.hpp"

namespace tg::inline v0::detail {

void PathCounts::allow(std::size_t paths) noexcept {
  most_ = std::max<std::size_t>(most_,
                                std::min<std::size_t>(paths, std::numeric_limits<Number>::max() - kOthers));
}

PathCounts::Number PathCounts::number_of(std::string path) {
  if (const auto found = numbers_.find(path); found != numbers_.end()) return found->second;
  if (gone_.size() > most_) return kOthers;
  gone_.emplace_back();
  const auto number = static_cast<Number>(gone_.size());
  try {
    numbers_.emplace(std::move(path), number);
  } catch (...) {
    gone_.pop_back();
    throw;
  }
  return number;
}

namespace {

EndCounts ends_of(const Node& node, const GroupStatistics& counts) noexcept {
  EndCounts ends{counts.succeeded, counts.failed, counts.stopped, counts.skipped};
  if (const std::optional<Duration> time = node.stop_time()) {
    ends.stops = 1;
    ends.stop_nanos = static_cast<std::uint64_t>(time->nanos());
  }
  return ends;
}

// Without the numbers in names that the library has generated: with them, there would be ever more paths.
std::string_view name_in_path(const Node& node) {
  constexpr std::string_view kUnnamed = "ThreadGroup-";
  const std::string_view name = node.name();
  if (node.kind() == NodeKind::foreign_thread) return "OtherThreads";
  const bool is_unnamed =
      name.starts_with(kUnnamed) && name.substr(kUnnamed.size()) == std::to_string(node.id().value);
  return is_unnamed ? kUnnamed.substr(0, kUnnamed.size() - 1) : name;
}

void add(PathMeasures& sum, const Node& node, const GroupStatistics& counts, TimePoint now) {
  sum.ended += ends_of(node, counts);
  ++sum.groups;
  if (node.event().is_set()) ++sum.stopped_groups;
  sum.pending += counts.pending;
  sum.running += counts.running;
  sum.waiting_adders += counts.waiting_adders;
  sum.threads += counts.threads;
  sum.threads_wanted += counts.threads_wanted;
  sum.most_threads += static_cast<double>(node.slots());
  if (counts.running == 0) return;
  for (const RunningTask& task : node.running_tasks(now))
    sum.oldest_task = std::max(sum.oldest_task, task.running_for);
}

}  // namespace

// Scopes and calls may be made for each task, so they are left out.
std::string Forest::counted_path_locked(const Node& node) const {
  std::vector<std::string_view> names;
  for (const Node* n = &node; n != nullptr; n = n->parent()) {
    if (!n->has_no_tasks()) names.push_back(name_in_path(*n));
  }
  std::string path;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    if (!path.empty()) path += '/';
    path += *name;
  }
  return mended(path);
}

// The group is about to be unlinked. Only a group that `measure` has not seen needs memory here. So if there is none, the
// counts may go to the others, and no sum falls.
[[gnu::cold]] void Forest::keep_counts_locked(const Node& node) noexcept {
  const GroupStatistics counts = node.statistics();
  if (counts.total() == 0) return;
  PathCounts::Number number = node.path_number_;
  if (number == PathCounts::kNone) {
    try {
      number = path_counts_->number_of(counted_path_locked(node));
    } catch (const std::bad_alloc&) {
      number = PathCounts::kOthers;
    }
  }
  path_counts_->keep(number, ends_of(node, counts));
}

// In a forked child, before `fork` has returned: an allocator may not be ready to free memory yet.
void Forest::leave_path_counts_locked() noexcept {
  if (path_counts_ != nullptr) parents_path_counts_ = std::exchange(path_counts_, nullptr);
}

ForestMeasures Forest::measure(std::size_t most_paths) {
  ForestMeasures all;
  MutexLock lock(mutex_);
  if (path_counts_ == nullptr) {
    delete std::exchange(parents_path_counts_, nullptr);
    path_counts_ = new PathCounts;
  }
  path_counts_->allow(most_paths);
  const auto sum_of = [&](std::size_t number) -> PathMeasures& {
    const std::size_t index = number - 1 <= most_paths ? number - 1 : 0;
    if (index >= all.paths.size()) all.paths.resize(index + 1);
    return all.paths[index];
  };
  for (std::size_t i = 0; i < path_counts_->gone().size(); ++i)
    sum_of(i + 1).ended += path_counts_->gone()[i];
  if (TG_PLANTED(measure_looks_twice)) {
    lock.unlock();
    lock.lock();
  }
  reveal_all_locked();
  const TimePoint now = runtime::coarse_now();
  visit_locked(nullptr, Walk::everything, [&](Node& node) TG_REQUIRES(mutex_) {
    ++all.nodes[static_cast<std::size_t>(node.kind())];
    if (node.is_abandoned()) ++all.abandoned_calls;
    const GroupStatistics counts = node.statistics();
    if (counts.total() == 0) return;
    if (node.path_number_ == PathCounts::kNone)
      node.path_number_ = path_counts_->number_of(counted_path_locked(node));
    add(sum_of(node.path_number_), node, counts, now);
  });
  path_counts_->for_each_path([&](const std::string& path, PathCounts::Number number) {
    if (number - 1U <= most_paths) sum_of(number).path = path;
  });
  return all;
}

}  // namespace tg::inline v0::detail
