// SPDX-License-Identifier: Apache-2.0
// All recorded waits, and the search for cycles among them. What counts and why is in wait_graph.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include <threadgroup/detail/mutex.hpp>

#include "runtime/engine.hpp"
#include "tree/path_text.hpp"
#include "tree/wait_graph.hpp"

namespace tg::inline v0::detail {

/// All recorded waits: found by the task that waits, and by the group of that task.
///
/// Thread safety: everything from any thread.
/// Lifetime: never destroyed.
class WaitGraph {
 public:
  constexpr WaitGraph() = default;
  static WaitGraph& instance() noexcept {
    return runtime::part_of_caller(graph_, runtime::Engine::Part::waits);
  }
  static void hold_across_forks();

  /// True if the wait closes a cycle; then `path` names it, unless there is no memory.
  bool record(RecordedWait& wait, const TaskContext& waiter, bool keep_in_cycle, PathText& path);
  void remove(RecordedWait& wait) noexcept {
    MutexLock lock(mutex_);
    remove_locked(wait);
  }
  /// Empty if the task has no wait of its own here.
  std::string text_of(const TaskContext& task);
  /// Names cycles that are there, so that each wait which cannot end leads to one of them.
  void describe_cycles(std::deque<PathText>& cycles);

 private:
  using Kind = WaitTarget::Kind;
  static constexpr std::size_t kTaskBuckets = 1024;
  static constexpr std::size_t kGroupBuckets = 256;

  template <class Buckets>
  static auto& bucket_of(Buckets& buckets, const void* key) noexcept {
    const auto bits = std::uint64_t{reinterpret_cast<std::uintptr_t>(key)};
    return buckets[(bits * 0x9E3779B97F4A7C15u) >> 32 & (buckets.size() - 1)];
  }

  void insert_locked(RecordedWait& wait, const TaskContext& waiter) noexcept TG_REQUIRES(mutex_);
  void insert_those_below_locked(const TaskContext& top) noexcept TG_REQUIRES(mutex_);
  void remove_locked(RecordedWait& wait) noexcept TG_REQUIRES(mutex_);
  void forget_all_locked() noexcept TG_REQUIRES(mutex_);
  RecordedWait* first_of_locked(const Node* group) const noexcept TG_REQUIRES(mutex_);
  const TaskContext* waiting_task_locked(const Task* task) const noexcept TG_REQUIRES(mutex_);
  Node* group_of_pending_locked(const AwaitedTask& task) const noexcept TG_REQUIRES(mutex_);
  // The search.
  template <class IsDead>
  bool depends_locked(const RecordedWait& wait, IsDead is_dead) const TG_REQUIRES(mutex_);
  template <class IsDead>
  bool slots_depend_locked(const Node& group, IsDead is_dead) const TG_REQUIRES(mutex_);
  bool is_dead_locked(RecordedWait& wait) noexcept TG_REQUIRES(mutex_);
  std::vector<RecordedWait*> all_dead_locked() TG_REQUIRES(mutex_);
  // What it has found, in words.
  RecordedWait* dead_one_locked(const Node& group, bool with_slot, const RecordedWait& wanted) const noexcept
      TG_REQUIRES(mutex_);
  static AwaitedTask task_of(const WaitTarget& target);
  RecordedWait* next_locked(const RecordedWait& of, const RecordedWait& wanted) const TG_REQUIRES(mutex_);
  template <class NextOf>
  void describe_locked(const RecordedWait& from, PathText& text, NextOf next_of) const TG_REQUIRES(mutex_);
  void describe_target_locked(const WaitTarget& target, PathText& text) const TG_REQUIRES(mutex_);
  static void describe_waiter(const RecordedWait& wait, const WaitTarget& target, PathText& text);

  static WaitGraph graph_;

  Mutex mutex_;
  std::uint64_t search_ TG_GUARDED_BY(mutex_) = 0;
  std::size_t recorded_ TG_GUARDED_BY(mutex_) = 0;
  // Lists of the tasks in recorded waits, and of each group's first wait, by the address of task and group.
  std::array<const TaskContext*, kTaskBuckets> tasks_ TG_GUARDED_BY(mutex_){};
  std::array<RecordedWait*, kGroupBuckets> groups_ TG_GUARDED_BY(mutex_){};
};

}  // namespace tg::inline v0::detail
