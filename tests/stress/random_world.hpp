// SPDX-License-Identifier: Apache-2.0
// The books of a random program: every group it makes and every task it adds, counted without the library.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "stress/support.hpp"

namespace tg::stress {

/// What the tasks of one group say of themselves. It outlives the group.
struct Counts {
  explicit Counts(const GroupOptions& options)
      : bound(static_cast<int>(options.max_concurrent_threads)), may_be_full(options.max_pending) {}
  const int bound;
  const bool may_be_full;
  std::atomic<int> tried{0};      // handed to add_task or post
  std::atomic<int> refused{0};    // of them, those that it threw for
  std::atomic<int> destroyed{0};  // callables that went, with or without having run
  std::atomic<int> returned{0};
  std::atomic<int> threw{0};
  std::atomic<int> at_work{0};  // run now and do not wait for others of their group
};

/// A group of the program, with its books.
struct Group {
  Group(std::string name, GroupOptions options)
      : counts(std::make_shared<Counts>(options)), group(std::move(name), options) {}
  const std::shared_ptr<Counts> counts;
  ThreadGroup group;
};

/// One task as its own callable saw it.
struct TaskRecord {
  std::atomic<int> runs{0};
  std::atomic<bool> throws{false};
};

/// Everything that the program made. What is wrong is collected here, from any thread.
class World {
 public:
  explicit World(int steps) : steps_left_(steps) {}

  /// False once the program has done what it may.
  bool take_step() { return steps_left_.fetch_sub(1, std::memory_order_relaxed) > 0; }

  void complain(const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (complaints_.size() < 20) complaints_.push_back(what);
  }
  std::vector<std::string> complaints() {
    const std::lock_guard lock(mutex_);
    return complaints_;
  }

  std::shared_ptr<Group> keep(std::shared_ptr<Group> group) {
    const std::lock_guard lock(mutex_);
    groups_.push_back(group);
    return group;
  }
  void keep_books(std::shared_ptr<Counts> counts) {
    const std::lock_guard lock(mutex_);
    books_.push_back(std::move(counts));
  }
  std::shared_ptr<Group> any_group(Random& random) {
    const std::lock_guard lock(mutex_);
    if (groups_.empty()) return nullptr;
    return groups_[static_cast<std::size_t>(random.below(static_cast<int>(groups_.size())))];
  }
  std::shared_ptr<Group> take_any_group(Random& random) {
    const std::lock_guard lock(mutex_);
    if (groups_.empty()) return nullptr;
    std::swap(groups_[static_cast<std::size_t>(random.below(static_cast<int>(groups_.size())))],
              groups_.back());
    auto group = std::move(groups_.back());
    groups_.pop_back();
    return group;
  }

  using Tracked = std::pair<TaskHandle<int>, std::shared_ptr<TaskRecord>>;
  void track(Tracked task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  TaskHandle<int> any_task(Random& random) {
    const std::lock_guard lock(mutex_);
    if (tasks_.empty()) return {};
    return tasks_[static_cast<std::size_t>(random.below(static_cast<int>(tasks_.size())))].first;
  }

  void saw_failures(std::size_t count) { failures_seen_ += static_cast<int>(count); }

  /// Once all groups are gone: does everything add up? Threads that could not be made, and memory that ran
  /// out, fail tasks, too.
  void check_books(bool tasks_may_fail) {
    int threw = 0;
    for (const auto& counts : books_) {
      threw += counts->threw;
      if (counts->tried != counts->destroyed) complain("a callable was destroyed twice, or never");
      if (counts->returned + counts->threw > counts->tried - counts->refused)
        complain("a task ran more than once");
      if (counts->at_work != 0) complain("a task never came back");
    }
    if (failures_seen_ < threw) complain("a failure was not delivered");
    if (!tasks_may_fail && failures_seen_ > threw) complain("a failure was delivered twice");
    for (const auto& [handle, record] : tasks_) check_task(handle, *record, tasks_may_fail);
  }

 private:
  void check_task(const TaskHandle<int>& handle, const TaskRecord& record, bool tasks_may_fail) {
    const int runs = record.runs;
    switch (handle.status()) {
      case TaskStatus::succeeded:
        if (runs != 1 || record.throws || handle.get() != 17) complain("succeeded, but not by running once");
        break;
      case TaskStatus::failed:
        if (runs == 1 ? !record.throws.load() : !tasks_may_fail) complain("failed, but it did not throw");
        break;
      case TaskStatus::stopped:
        complain("stopped, but none of them leaves by a Stopped");
        break;
      case TaskStatus::skipped:
        if (runs != 0) complain("skipped, but it ran");
        if (!handle.reason()) complain("skipped for no reason");
        break;
      default:
        complain("a task has not ended: " + std::string(to_string(handle.status())));
    }
  }

  std::atomic<int> steps_left_;
  std::atomic<int> failures_seen_{0};
  std::mutex mutex_;
  std::vector<std::string> complaints_;
  std::vector<std::shared_ptr<Group>> groups_;
  std::vector<std::shared_ptr<Counts>> books_;
  std::vector<Tracked> tasks_;
};

}  // namespace tg::stress
