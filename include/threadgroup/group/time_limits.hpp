// SPDX-License-Identifier: Apache-2.0
// Tells groups to stop when their time limit has passed.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include <threadgroup/base/duration.hpp>
#include <threadgroup/base/mutex.hpp>
#include <threadgroup/event/wait_queue.hpp>
#include <threadgroup/tree/node.hpp>

namespace tg::detail {

/// The deadlines of all groups that have a time limit, and the one flow that waits for the earliest. There is
/// such a flow only while there are limits.
///
/// Thread safety: everything from any thread.
/// Lifetime: never destroyed. It holds a reference to each node until the limit has passed or the group has
/// gone.
class TimeLimits {
 public:
  static TimeLimits& instance();
  void add(Node& node, TimePoint deadline, Duration limit);
  /// The group is going away: its limit means nothing any more.
  void remove(Node& node) noexcept;

 private:
  struct Entry {
    Node* node;
    Duration limit;
  };

  TimeLimits();
  static void serve_main(void* limits) noexcept;
  void serve() noexcept;

  Mutex mutex_;
  // Ordered by deadline; the node's number makes the key unique.
  std::map<std::pair<TimePoint, std::uint64_t>, Entry> entries_ TG_GUARDED_BY(mutex_);
  bool serving_ TG_GUARDED_BY(mutex_) = false;
  std::uint64_t changes_ TG_GUARDED_BY(mutex_) = 0;
  WaitQueue changed_;
};

}  // namespace tg::detail
