// SPDX-License-Identifier: Apache-2.0
// What stands behind a ThreadGroup: its node in the forest and its pool, in one allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include <threadgroup/base/duration.hpp>
#include <threadgroup/base/mutex.hpp>
#include <threadgroup/group/time_limits.hpp>
#include <threadgroup/pool/pool.hpp>
#include <threadgroup/runtime/blocks.hpp>
#include <threadgroup/runtime/fork.hpp>
#include <threadgroup/tree/node.hpp>

namespace tg {

struct GroupOptions {
  std::size_t max_concurrent_threads = 32;  ///< at least 1
  bool daemon = false;                      ///< roots a tree of its own: no ancestor's event reaches it
  OnFailure on_failure =
      OnFailure::keep_going;  ///< or `set_event`: the first failure tells the others to stop
  std::optional<Duration> time_limit =
      {};  ///< counted from the making; then the event is set, reason `deadline`
};

namespace detail {

/// A group's node and pool.
///
/// Lifetime: counted (see `Node`): the group's object holds one reference and each worker another, so a group
/// that goes away from inside one of its own tasks leaves no worker with nothing under its feet.
class GroupCore final : public Node, public runtime::InBlock {
 public:
  GroupCore(std::string&& name, const GroupOptions& options);

  Pool& pool() noexcept { return pool_; }
  /// Throws `ForkedError` in a process forked from the one that made the group.
  void check_process(const char* operation) const {
    if (runtime_generation_changed()) throw_forked(operation);
  }
  bool runtime_generation_changed() const noexcept { return fork_generation_ != runtime::fork_generation(); }

  /// Whether anything but the tasks could notice that the event is set.
  bool has_stop_token() const;
  /// Requires that the node is linked.
  void set_time_limit(Duration limit) { time_limit_ = std::make_unique<TimeLimit>(*this, limit); }
  bool has_time_limit() const noexcept { return time_limit_ != nullptr; }
  void end_time_limit() noexcept { time_limit_.reset(); }

  void on_event_set() noexcept override;
  void on_last_reference() noexcept override;
  std::stop_token stop_token() override;
  GroupStatistics statistics() const override { return pool_.statistics(); }
  std::vector<RunningTask> running_tasks() const override { return pool_.running_tasks(); }
  bool run_now(Task& task) noexcept override { return pool_.run_now(task); }
  void lend_place() noexcept override { pool_.lend_place(); }
  void reclaim_place() noexcept override {
    if (!runtime_generation_changed()) pool_.reclaim_place();  // what it was lent for may have forked
  }
  bool wait_until_quiet(TimePoint deadline) noexcept override { return pool_.wait_until_quiet(deadline); }

 private:
  ~GroupCore() override = default;
  [[noreturn]] void throw_forked(const char* operation) const;

  // Constant after construction.
  const std::uint32_t fork_generation_;

  std::unique_ptr<TimeLimit> time_limit_;  // touched by whoever makes and destroys the group, and no other

  mutable Mutex mutex_;
  std::stop_source stop_source_ TG_GUARDED_BY(mutex_){std::nostopstate};  // made when first asked for
  Pool pool_;
};

}  // namespace detail
}  // namespace tg
