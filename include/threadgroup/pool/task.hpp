// SPDX-License-Identifier: Apache-2.0
// What a pool needs of a task.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include <threadgroup/base/source_location.hpp>
#include <threadgroup/event/reason.hpp>
#include <threadgroup/runtime/blocks.hpp>
#include <threadgroup/tree/node.hpp>

namespace tg {

/// How far a task is. It ends as exactly one of the last four.
enum class TaskStatus : std::uint8_t {
  pending,
  running,
  succeeded,  ///< it returned, whether or not it was stopped
  failed,     ///< it threw
  stopped,    ///< it left by a `Stopped` while an event that covers it was set: no failure
  skipped,    ///< it never ran
};
const char* to_string(TaskStatus status) noexcept;

/// A task that failed, and what it threw.
struct Failure {
  std::string task;
  std::exception_ptr exception;
  SourceLocation where = {};  ///< file and line where the task was added, if known
};
/// What the task threw, and where the task was added: "no route (added at main.cpp:42)".
std::string describe_failure(const Failure& failure);

namespace detail {

/// A task in a pool's queue, or in its list of failures.
///
/// A pool calls exactly one of `run`, `skip` and `fail`, once, with no lock held; then `release`, also for a
/// failed one once its failure was taken. None of them throws: whatever the user's code throws becomes the
/// task's failure.
class Task : public runtime::InBlock {
 public:
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  /// Calls the callable, destroys it, and says how it ended: `succeeded`, `failed` or `stopped`.
  virtual TaskStatus run(Node& group) noexcept = 0;
  /// Destroys the callable without calling it: `skipped`, or `failed` if the destructor threw.
  virtual TaskStatus skip(const ReasonPointer& reason) noexcept = 0;
  /// The name given to the task, or null if it has none. It does not change after the task was added.
  virtual const std::string* given_name() const noexcept = 0;
  /// Of a failed task: true once, for the caller that will deliver its failure.
  virtual bool claim_failure() noexcept = 0;
  virtual bool failure_is_claimed() const noexcept = 0;
  virtual Failure failure() const = 0;
  virtual void release() noexcept = 0;

  /// Counts the tasks of the pool from 1, perhaps with gaps if tasks add tasks; written by the pool before
  /// anybody else knows the task.
  std::uint64_t number() const noexcept {
    return static_cast<std::uint64_t>(number_high_ & kNumberHigh) << 32 | number_low_;
  }
  void set_number(std::uint64_t number) noexcept {
    number_low_ = static_cast<std::uint32_t>(number);
    number_high_ = static_cast<std::uint16_t>((number_high_ & kClaimable) | (number >> 32 & kNumberHigh));
  }
  /// Whether this is a `ClaimableTask`.
  bool is_claimable() const noexcept { return (number_high_ & kClaimable) != 0; }
  /// The given name, or "task 17" where there is none.
  std::string name() const;

 protected:
  enum class Kind : std::uint16_t { plain, claimable };
  explicit Task(Kind kind = Kind::plain) noexcept
      : number_high_(kind == Kind::claimable ? kClaimable : std::uint16_t{0}) {}
  virtual ~Task() = default;

 private:
  friend class TaskList;
  friend class PendingList;
  static constexpr std::uint16_t kClaimable = 0x8000;
  static constexpr std::uint16_t kNumberHigh = 0x7fff;

  Task* next_ = nullptr;
  // 47 bits and a flag, so that small fields of a derived class fit in the same word.
  std::uint32_t number_low_ = 0;
  std::uint16_t number_high_;
};

/// A task for which others may wait, so that a pool may have to take it out of the middle of a queue.
///
/// The pool sets the status to `running` in the step that takes the task out of its list, under the list's
/// lock: a task whose status is `pending` under all locks that may guard it is in one of the lists, or was
/// taken out to be skipped.
class ClaimableTask : public Task {
 public:
  TaskStatus status() const noexcept { return status_.load(std::memory_order_acquire); }

 protected:
  ClaimableTask() noexcept : Task(Kind::claimable) {}
  ~ClaimableTask() override = default;

  // A million of these may be queued, so each byte counts: the small fields fill the words of others.
  std::atomic<TaskStatus> status_{TaskStatus::pending};  // atomic: publishes the result, or `ending_`
  std::atomic<std::uint8_t> flags_{0};                   // atomic; of the derived class
  // Which of them is there, the status says. The last two are written before the last change of the status,
  // and constant afterwards.
  union Ending {
    Ending() noexcept : previous(nullptr) {}
    ~Ending() {}
    Task* previous;                // pending: the task before this one in its list, see `PendingList`
    std::exception_ptr exception;  // failed or stopped
    ReasonPointer reason;          // skipped
  } ending_;

 private:
  friend class PendingList;
  friend class LocalQueue;
  friend class TaskQueue;
  void begin() noexcept { status_.store(TaskStatus::running, std::memory_order_relaxed); }

  std::uint8_t home_ =
      0;  // the local queue to which it was added (its index), or 0; constant once it is queued
};

/// A first-in-first-out list through the tasks themselves. It owns nothing.
class TaskList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  Task* front() const noexcept { return first_; }

  /// Walks no further than it must.
  bool has_more_than(std::size_t count) const noexcept {
    const Task* task = first_;
    for (; task != nullptr && count > 0; --count) task = task->next_;
    return task != nullptr;
  }

  void push(Task& task) noexcept {
    task.next_ = nullptr;
    (first_ != nullptr ? last_->next_ : first_) = &task;
    last_ = &task;
  }
  Task* pop() noexcept {
    Task* const task = first_;
    if (task != nullptr) first_ = task->next_;
    return task;
  }
  /// The one that follows this one, or the first one after null; null at the end.
  Task* after(const Task* task) const noexcept {
    if (task == nullptr) return first_;
    return task == last_ ? nullptr : task->next_;
  }
  /// Takes that one out. Requires: there is one.
  Task* remove_after(Task* task) noexcept {
    Task* const removed = after(task);
    (task != nullptr ? task->next_ : first_) = removed->next_;
    if (last_ == removed) last_ = task;
    return removed;
  }
  TaskList take_all() noexcept {
    TaskList all = *this;
    first_ = nullptr;
    return all;
  }
  void append(TaskList more) noexcept {
    if (more.empty()) return;
    (first_ != nullptr ? last_->next_ : first_) = more.first_;
    last_ = more.last_;
  }

 protected:
  Task* first_ = nullptr;
  Task* last_ = nullptr;  // meaningless while the list is empty
};

}  // namespace detail
}  // namespace tg
