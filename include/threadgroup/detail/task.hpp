// SPDX-License-Identifier: Apache-2.0
// The interface of a task that a pool uses.
#pragma once

#include <cstdint>
#include <exception>
#include <string>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/blocks.hpp>
#include <threadgroup/detail/call_site.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/outcomes.hpp>

namespace tg {
inline namespace v0 {
struct Failure;
}  // namespace v0
}  // namespace tg

namespace tg::inline v0::detail {

class Node;

/// A task in a pool's queue, or in its list of failures.
///
/// A pool calls either `run` or `skip`, once, with no lock held, and then `release` (for a failed task: after
/// its failure was taken). Neither throws: an exception of the user's code becomes the task's failure.
class TG_EXPORT Task : public runtime::InBlock {
 public:
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  /// Calls the callable, destroys it, and returns how it ended: `succeeded`, `failed` or `stopped`.
  virtual TaskStatus run(Node& group) noexcept = 0;
  /// Destroys the callable without calling it: `skipped`, or `failed` if the destructor threw.
  virtual TaskStatus skip(const ReasonPointer& reason) noexcept = 0;
  /// The name given to the task; null if it has none. It does not change after the task was added.
  virtual const std::string* given_name() const noexcept = 0;
  /// For a failed task: returns true once, to the caller that is to deliver the failure.
  virtual bool claim_failure() noexcept = 0;
  virtual bool failure_is_claimed() const noexcept = 0;
  virtual Failure failure() const = 0;
  virtual void release() noexcept = 0;

  /// The number of the task in its pool, from 1; with gaps if tasks add tasks. The pool writes it before
  /// another thread can reach the task.
  std::uint64_t number() const noexcept {
    return static_cast<std::uint64_t>(number_high_ & kNumberHigh) << 32 | number_low_;
  }
  void set_number(std::uint64_t number) noexcept {
    number_low_ = static_cast<std::uint32_t>(number);
    number_high_ = static_cast<std::uint16_t>((number_high_ & kClaimable) | (number >> 32 & kNumberHigh));
  }
  /// Where the task was added, if known. Constant.
  CallSite call_site() const noexcept { return CallSite::from_number(call_site_); }
  /// True if this is a `ClaimableTask`.
  bool is_claimable() const noexcept { return (number_high_ & kClaimable) != 0; }
  /// The given name, or "task 17" if there is none.
  std::string name() const;

 protected:
  enum class Kind : std::uint16_t { plain, claimable };
  explicit Task(Kind kind = Kind::plain, CallSite added_at = {}) noexcept
      : number_high_(kind == Kind::claimable ? kClaimable : std::uint16_t{0}),
        call_site_(added_at.number() & 0x7fff),
        failed_(0) {}
  virtual ~Task() = default;

 private:
  friend class TaskList;
  friend class PendingList;
  static constexpr std::uint16_t kClaimable = 0x8000;
  static constexpr std::uint16_t kNumberHigh = 0x7fff;

  Task* next_ = nullptr;
  // 47 bits and a flag, so that the rest of the word has room for more.
  std::uint32_t number_low_ = 0;
  std::uint16_t number_high_;
  std::uint16_t call_site_ : 15;

 protected:
  std::uint16_t failed_ : 1;  // for a derived class; only the flow that ends the task touches it
};

/// A task that another task can wait for, so that a pool may have to take it out of the middle of a queue.
///
/// The pool sets the status to `running` in the step that takes the task out of its list, under the list's
/// lock: a task whose status is `pending` under all locks that may guard it is in one of the lists, or was
/// taken out to be skipped.
class TG_EXPORT ClaimableTask : public Task {
 public:
  TaskStatus status() const noexcept { return status_.load(std::memory_order_acquire); }

 protected:
  explicit ClaimableTask(CallSite added_at = {}) noexcept : Task(Kind::claimable, added_at) {}
  ~ClaimableTask() override = default;

  // A million of these may be queued, so each byte matters: the small fields fill gaps between the others.
  // The status says which member is in use. The last two are written before the last change of the status,
  // and are constant afterwards.
  union Ending {
    Ending() noexcept : previous(nullptr) {}
    ~Ending() {}
    Task* previous;                // pending: the task before this one in its list, see `PendingList`
    std::exception_ptr exception;  // failed or stopped
    ReasonPointer reason;          // skipped
  } ending_;
  Atomic<TaskStatus> status_{TaskStatus::pending};  // atomic: publishes the result, or `ending_`
  Atomic<std::uint8_t> flags_{0};                   // atomic; of the derived class

 private:
  friend class PendingList;
  friend class LocalQueue;
  friend class TaskQueue;
  void begin() noexcept { status_.store(TaskStatus::running, std::memory_order_relaxed); }

  // The local queue to which it was added (its index), or 0; constant once it is queued.
  std::uint8_t home_ = 0;
};

}  // namespace tg::inline v0::detail
