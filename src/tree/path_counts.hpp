// SPDX-License-Identifier: Apache-2.0
// The counts of tasks for each path of groups, which go on when the groups are gone.
//
// Invariants
//   T13. A path keeps its number. So does a group that has one, also when it is handed to another parent.
//   T14. The critical section that unlinks a group adds its counts to those of the groups that are gone, and `measure`
//        reads these and the linked groups in one critical section of the same lock. So each group is counted once, and no
//        sum of a number falls. (Tasks that are added to a group after that are skipped, and not counted.)
//
// Before the first call of `measure` there is no `PathCounts`, and unlinking costs one look at a pointer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include <threadgroup/duration.hpp>

#include "tree/node.hpp"

namespace tg::inline v0::detail {

/// How tasks have ended.
struct EndCounts {
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
  std::uint64_t stopped = 0;
  std::uint64_t skipped = 0;
  std::uint64_t stops = 0;       // groups that were stopped while tasks ran
  std::uint64_t stop_nanos = 0;  // from their stops to the end of the last of these tasks, all together

  EndCounts& operator+=(const EndCounts& other) noexcept {
    succeeded += other.succeeded;
    failed += other.failed;
    stopped += other.stopped;
    skipped += other.skipped;
    stops += other.stops;
    stop_nanos += other.stop_nanos;
    return *this;
  }
};

/// What the groups with one path do, and have done.
struct PathMeasures {
  std::string path;  // UTF-8
  EndCounts ended;   // with those of groups that are gone
  // Of the groups that exist:
  std::size_t groups = 0;
  std::size_t stopped_groups = 0;
  std::size_t pending = 0;
  std::size_t running = 0;
  std::size_t waiting_adders = 0;
  std::size_t threads = 0;
  std::size_t threads_wanted = 0;
  double most_threads = 0;  // a sum of bounds, each of which may be the largest number
  Duration oldest_task;
};

constexpr std::size_t kNodeKinds = static_cast<std::size_t>(NodeKind::call) + 1;

/// What all groups of the forest do, and have done.
struct ForestMeasures {
  // First what has no path of its own, then the others in the order in which they were first seen.
  std::vector<PathMeasures> paths;
  std::array<std::size_t, kNodeKinds> nodes{};  // of each kind, without the roots of threads
  std::size_t abandoned_calls = 0;
};

/// Numbers for the paths of groups, and the counts of those groups that are gone.
///
/// A path gets a number when it is first asked for. Once as many as are allowed have one, the others share `kOthers`.
///
/// Thread safety: none, the forest's lock guards it.
class PathCounts {
 public:
  using Number = std::uint16_t;
  static constexpr Number kNone = 0;
  static constexpr Number kOthers = 1;
  /// The path that is shown for these. A group whose path this is belongs to them.
  static constexpr const char* kPathOfOthers = "(other)";

  PathCounts() : numbers_{{kPathOfOthers, kOthers}}, gone_(kOthers) {}

  /// From now on so many paths may have a number of their own, if fewer were allowed before.
  void allow(std::size_t paths) noexcept;
  /// Throws `std::bad_alloc`; then nothing has changed.
  Number number_of(std::string path);
  /// Adds the counts of a group that goes. A number that was not given is one of the others.
  void keep(Number number, const EndCounts& counts) noexcept {
    gone_[number > gone_.size() ? 0 : number - 1U] += counts;
  }
  /// Of the groups that are gone: of number 1, 2 and so on.
  const std::deque<EndCounts>& gone() const noexcept { return gone_; }
  /// Calls `visit` for each path with its number.
  template <class Visit>
  void for_each_path(Visit visit) const {
    for (const auto& [path, number] : numbers_) visit(path, number);
  }

 private:
  std::size_t most_ = 0;
  std::unordered_map<std::string, Number> numbers_;
  std::deque<EndCounts> gone_;  // a deque does not move what it has when it grows
};

}  // namespace tg::inline v0::detail
