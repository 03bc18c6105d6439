// SPDX-License-Identifier: Apache-2.0
// The inside of a ThreadGroup: its node in the forest and its pool, in one allocation.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/blocks.hpp>
#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/detail/task.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/options.hpp>
#include <threadgroup/statistics.hpp>

#include "group/registry.hpp"
#include "pool/pool.hpp"
#include "runtime/fork.hpp"
#include "tree/node.hpp"
#include "tree/stop_source.hpp"
#include "tree/time_limits.hpp"

namespace tg::inline v0::detail {

/// A group's node and pool.
///
/// Lifetime: counted (see `Node`): the group's object holds one reference and each worker another, so a group
/// that goes away from inside one of its own tasks leaves no worker without the core that it uses.
class GroupCore final : public Node, public runtime::InBlock {
 public:
  GroupCore(std::string&& name, const GroupOptions& options);
  /// Makes one; or, if it is plain (without limits beyond its own bound), uses one again that the calling flow
  /// has kept.
  static GroupCore* make(std::string&& name, const GroupOptions& options, bool is_plain);
  /// Releases the only reference to one that had no task and was unlinked as `alone` or `unseen`. If the flow
  /// has room, it is kept for `make`.
  void release_or_keep() noexcept;

  Pool& pool() noexcept { return pool_; }
  /// Throws `ForkedError` in a process forked from the one that made the group.
  void check_process(const char* operation) const {
    if (runtime_generation_changed()) throw_forked(operation);
  }
  [[noreturn]] void throw_forked(const char* operation) const;
  bool runtime_generation_changed() const noexcept { return fork_generation_ != runtime::fork_generation(); }

  /// The registered functions, if there are any.
  RegistryHook& registry() noexcept { return registry_; }

  /// True if the event may stop something other than tasks and groups below: a stop token was made, or a thread was
  /// attached.
  bool is_followed() const noexcept { return stop_source_.is_followed(); }
  void follow() noexcept { stop_source_.follow(event()); }
  /// Requires that the node is linked.
  void set_time_limit(Duration limit) { time_limit_ = std::make_unique<TimeLimit>(*this, limit); }
  bool has_time_limit() const noexcept { return time_limit_ != nullptr; }
  void end_time_limit() noexcept { time_limit_.reset(); }

  /// The group's object is being destroyed, or gone.
  bool is_closed() const noexcept { return closed_.load(std::memory_order_acquire); }
  void close() noexcept { closed_.store(true, std::memory_order_release); }

  /// Destruction by one of the group's own tasks will not be reported as a mistake. Call it before the
  /// destructor.
  void allow_own_task() noexcept { own_task_is_allowed_ = true; }
  bool own_task_is_allowed() const noexcept { return own_task_is_allowed_; }

  void on_event_set() noexcept override;
  void on_last_reference() noexcept override;
  StopSource* stop_source() noexcept override { return &stop_source_; }
  GroupStatistics statistics() const override { return pool_.statistics(); }
  std::size_t slots() const noexcept override { return pool_.bound(); }
  std::vector<RunningTask> running_tasks(TimePoint now) const override { return pool_.running_tasks(now); }
  std::optional<StopLatency> stop_latency() const override { return pool_.stop_latency(); }
  std::optional<Duration> stop_time() const noexcept override { return pool_.stop_time(); }
  bool run_now(Task& task) noexcept override { return pool_.run_now(task); }
  bool permit_is_free(const Permits& permits) noexcept override { return pool_.permit_is_free(permits); }
  bool help_with(const Task& task) noexcept override { return pool_.help_with(task); }
  bool skip_task(ClaimableTask& task, const Reason& reason) override {
    return pool_.skip(task, reason_to_skip(reason));
  }
  ReasonPointer reason_to_skip(Reason reason) const;
  void lend_slot() noexcept override { pool_.lend_slot(); }
  void reclaim_slot() noexcept override {
    if (!runtime_generation_changed()) pool_.reclaim_slot();  // the wait may have forked
  }
  void pass_adders() noexcept override { pool_.pass_adders(); }
  WaitOutcome wait_until_idle(FunctionRef<bool()> or_else, const WatchedEvents& events,
                              TimePoint deadline) override {
    return pool_.wait_until_idle(or_else, events, deadline);
  }
  void wake_waiters() noexcept override { pool_.wake_waiters(); }
  bool wait_until_quiet(TimePoint deadline) noexcept override { return pool_.wait_until_quiet(deadline); }

 private:
  ~GroupCore() override = default;

  // These share a word with the last field of `Node`.
  bool own_task_is_allowed_ = false;  // used as `time_limit_` is
  Atomic<bool> closed_{false};        // atomic: links read it at any time
  // Constant from the construction, or from the time on when it is used again.
  std::uint32_t fork_generation_;

  RegistryHook registry_;

  // Used only by the thread that makes the group and by the one that destroys it.
  std::unique_ptr<TimeLimit> time_limit_;

  StopSource stop_source_;
  Pool pool_;
};

static_assert(sizeof(GroupCore) <= runtime::kLargestBlock);

}  // namespace tg::inline v0::detail
