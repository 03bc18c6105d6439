// SPDX-License-Identifier: Apache-2.0
// The one allocation of a task with a handle: the queue's link, the callable, the result and its waiters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/call.hpp>
#include <threadgroup/detail/call_site.hpp>
#include <threadgroup/detail/current_failure.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/detail/task.hpp>
#include <threadgroup/detail/task_scope.hpp>
#include <threadgroup/detail/wait_queue.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/source_location.hpp>

namespace tg::inline v0::detail {

class Event;
class Node;
class TaskWatcher;
struct TaskContext;
struct AwaitedTask;

/// Destroys an object whose destructor may throw, and keeps that exception unless one is kept already.
template <class T>
void destroy_keeping_error(T& object, std::exception_ptr& error) noexcept {
  try {
    object.~T();
  } catch (...) {
    if (!error) error = current_failure();
  }
}

/// True if an exception that left a task of the group means that the task was stopped, and not that it
/// failed: the exception is a `Stopped`, and the group's event, or the task's own, is set. Costs nothing while
/// the event is not set. Requires: the calling flow runs the task.
TG_EXPORT bool is_stop(const std::exception_ptr& exception, const Node& group) noexcept;

/// The state that a handle shares with the task, without the result itself.
///
/// Guarantees: the status changes pending -> running -> succeeded, failed or stopped, or pending -> skipped
/// or failed. The result, the exception or the reason is written before the last change is published, and
/// does not change afterwards.
/// Thread safety: everything from any thread, except for the calls that belong to the pool (see `Task`).
/// Lifetime: reference-counted; a new one has a reference of the pool and one of a handle.
class TG_EXPORT TaskSlot : public ClaimableTask {
 public:
  TaskSlot(Node& group, CallSite added_at) noexcept;

  bool done() const noexcept { return status_.load(std::memory_order_seq_cst) > TaskStatus::running; }
  /// Waits as `TaskHandle::wait` does. Without a time limit the caller may run the task.
  WaitOutcome wait();
  WaitOutcome wait_for(Duration timeout);
  /// The same, but this event (if not null) ends the wait early; or the other one, if that is not null.
  WaitOutcome wait_watching(Event* event, TimePoint deadline, Event* other = nullptr);
  /// Throws as these do if the task, which has not ended, cannot end while the caller waits: it is the parent's of
  /// this forked process, or on the caller's stack. `caller`: its task, or null.
  void refuse_endless_wait(const TaskContext* caller) const;
  /// Notifies the watcher when the task has ended; at once, if it has.
  void watch(TaskWatcher& watcher) noexcept;
  /// Where a flow links itself before it looks whether the task is `done`.
  WaitQueue& end_waiters() noexcept { return done_waiters_; }
  /// The task as the wait graph sees it.
  TG_LOCAL AwaitedTask awaited() const noexcept;
  bool belongs_to(const Node* group) const noexcept { return group_ == group; }
  /// Waits, and throws unless the task succeeded.
  void wait_for_success();
  /// The same; throws `TimedOut` after the time-out.
  void wait_for_success(Duration timeout);
  /// The reason of a stopped or skipped task; else null. It lives as long as the slot.
  const Reason* reason() const noexcept;
  /// The exception of a failed task; else null.
  std::exception_ptr exception() const noexcept {
    return status() == TaskStatus::failed ? ending_.exception : nullptr;
  }
  /// File and line where the task was added, if known.
  SourceLocation added_at() const noexcept { return call_site().location(); }
  /// The given name, or "task 17", which lives as long as the task.
  const std::string& shown_name();

  void add_handle() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release_handle() noexcept { release(1); }
  /// Skips the task if it is pending; stops it if it runs and has an event of its own. True if this call did.
  bool set_event(std::string&& message, SourceLocation where);
  virtual TaskScope* own_scope() noexcept { return nullptr; }
  const std::string* given_name() const noexcept override { return nullptr; }
  bool claim_failure() noexcept final { return raise(kFailureIsClaimed); }
  bool failure_is_claimed() const noexcept final { return has(kFailureIsClaimed); }
  Failure failure() const final { return Failure{Task::name(), ending_.exception, added_at()}; }
  void release() noexcept final { release(kPool); }

 protected:
  static constexpr std::uint8_t kFailureIsClaimed = 1;
  static constexpr std::uint8_t kResultIsTaken = 2;
  static constexpr std::uint8_t kNameIsShown = 4;
  // The pool's share of `references_`; the rest counts handles.
  static constexpr std::uint32_t kPool = std::uint32_t{1} << 31;
  // The other bits count the copies of the result that are being made. The highest count is permanent: the
  // result was shown, or so many copies were made at a time that they are no longer counted.
  static constexpr std::uint8_t kOneCopy = 8;
  static constexpr std::uint8_t kCopies = 0xf8;

  ~TaskSlot() override;
  TaskStatus end_with_result() noexcept { return publish(TaskStatus::succeeded); }
  TaskStatus end_failed(std::exception_ptr exception) noexcept;
  TaskStatus end_stopped(std::exception_ptr exception) noexcept;
  TaskStatus end_skipped(ReasonPointer reason) noexcept;

  bool has(std::uint8_t flag) const noexcept { return (flags_.load(std::memory_order_acquire) & flag) != 0; }
  // The result stays where it is until `end_copy`, or permanently. These throw `std::logic_error` if it was
  // taken.
  void check_not_taken() {
    if (has(kResultIsTaken)) throw_taken();
  }
  void begin_copy();
  void end_copy() noexcept;
  void keep_result();
  // Gives the result to the caller. Throws `std::logic_error` unless this is the first such call and no other
  // handle uses the result.
  void claim_taken();

  /// True for the first caller that sets the flag.
  bool raise(std::uint8_t flag) noexcept {
    return (flags_.fetch_or(flag, std::memory_order_acq_rel) & flag) == 0;
  }

 private:
  class HeldGroup;
  TG_LOCAL bool run_if_below(TaskContext* caller, Event* event);
  TG_LOCAL void throw_unless_succeeded(WaitOutcome outcome);
  TaskStatus publish(TaskStatus status) noexcept;
  TG_LOCAL bool is_of_this_process() const noexcept;

  void release(std::uint32_t reference) noexcept {
    // The only owner saves the atomic step: no other flow can take a reference any more.
    if (references_.load(std::memory_order_acquire) == reference ||
        references_.fetch_sub(reference, std::memory_order_acq_rel) == reference)
      delete this;
  }
  [[noreturn]] void throw_taken();

  // Constant after construction.
  const std::uint8_t fork_generation_;           // its low bits
  Atomic<std::uint32_t> references_{kPool + 1};  // atomic: owners on many threads
  Node* const group_;                            // to compare with; it may be gone once the task is done

  WaitQueue done_waiters_;
};
static_assert(sizeof(void*) != 8 || sizeof(TaskSlot) == 64);

/// Throws `std::logic_error`: a handle without a task was used.
[[noreturn]] TG_EXPORT void throw_no_task();

template <class R>
class ResultPin;

/// The slot with room for a result.
template <class R>
class ResultSlot : public TaskSlot {
  static_assert(std::is_void_v<R> || std::is_reference_v<R> || std::is_nothrow_destructible_v<R>,
                "the destructor of a task's result must not throw: no caller could catch it");

 public:
  using TaskSlot::TaskSlot;
  using Stored =
      std::conditional_t<std::is_void_v<R>, char,
                         std::conditional_t<std::is_reference_v<R>, std::remove_reference_t<R>*, R>>;

  /// Moving the result out does not change it, so its readers need not be counted.
  static constexpr bool kMovesByCopying = std::is_trivially_copyable_v<Stored>;

  Stored& stored() noexcept { return *std::launder(reinterpret_cast<Stored*>(room_)); }
  /// Gives the result to the caller, to be moved out. Throws `std::logic_error` if it was moved out, or is in
  /// use by another handle.
  void claim_result() { claim_taken(); }
  /// Keeps the result in its place permanently. Throws `std::logic_error` if it was taken.
  void show_result() {
    if constexpr (kMovesByCopying) check_not_taken();
    else keep_result();
  }

 protected:
  ~ResultSlot() override {
    if (this->status() == TaskStatus::succeeded) drop();
  }

  template <class C>
  void store(C& call, Node& group) {
    if constexpr (std::is_void_v<R>) {
      call(group);
    } else if constexpr (std::is_reference_v<R>) {
      R&& result = call(group);  // with a name, also an rvalue has an address
      ::new (static_cast<void*>(room_)) Stored(std::addressof(result));
    } else {
      ::new (static_cast<void*>(room_)) Stored(call(group));
    }
  }
  void drop() noexcept {
    if constexpr (!std::is_void_v<R>) stored().~Stored();
  }

 private:
  friend class ResultPin<R>;
  alignas(Stored) std::byte room_[sizeof(Stored)];
};

/// Keeps the result in its place for a scope, while it is copied. Throws `std::logic_error` if it was taken.
template <class R>
class ResultPin {
 public:
  explicit ResultPin(ResultSlot<R>& slot) : slot_(slot) {
    if constexpr (!ResultSlot<R>::kMovesByCopying) slot_.begin_copy();
    else slot_.check_not_taken();
  }
  ~ResultPin() {
    if constexpr (!ResultSlot<R>::kMovesByCopying) slot_.end_copy();
  }
  ResultPin(const ResultPin&) = delete;
  ResultPin& operator=(const ResultPin&) = delete;

 private:
  ResultSlot<R>& slot_;
};

/// The whole task: the slot and the callable.
template <class C>
class CallableTask : public ResultSlot<typename C::Result> {
  using Base = ResultSlot<typename C::Result>;

 public:
  template <class... Given>
  explicit CallableTask(CallSite added_at, Node& group, Given&&... given)
      : Base(group, added_at), call_(std::forward<Given>(given)...) {}

  TaskStatus run(Node& group) noexcept override {
    std::exception_ptr error;
    bool stored = false;
    try {
      this->store(call_, group);
      stored = true;
    } catch (...) {
      error = current_failure();
    }
    std::exception_ptr stop;
    if (error && is_stop(error, group)) stop.swap(error);
    // Before the end is published: code that sees the task done may rely on the callable being destroyed.
    destroy_keeping_error(call_, error);
    if (error) {
      if (stored) this->drop();
      return this->end_failed(std::move(error));
    }
    return stop ? this->end_stopped(std::move(stop)) : this->end_with_result();
  }

  TaskStatus skip(const ReasonPointer& reason) noexcept final {
    std::exception_ptr error;
    destroy_keeping_error(call_, error);
    return error ? this->end_failed(std::move(error)) : this->end_skipped(reason);
  }

  /// Destroys a task that the pool did not accept, so that no other flow knows it.
  void discard() noexcept {
    std::exception_ptr error;
    destroy_keeping_error(call_, error);
    this->release();
  }

 protected:
  /// Ends the task without calling the callable.
  TaskStatus fail(std::exception_ptr error) noexcept {
    destroy_keeping_error(call_, error);
    return this->end_failed(std::move(error));
  }
  ~CallableTask() noexcept override {}  // the callable was destroyed at the end of the task

 private:
  union {
    C call_;
  };
};

/// The same with a name.
template <class C>
class NamedTask : public CallableTask<C> {
 public:
  template <class... Given>
  NamedTask(std::string name, CallSite added_at, Node& group, Given&&... given)
      : CallableTask<C>(added_at, group, std::forward<Given>(given)...), name_(std::move(name)) {}

  const std::string* given_name() const noexcept override { return name_.empty() ? nullptr : &name_; }

 protected:
  ~NamedTask() noexcept override = default;

 private:
  const std::string name_;
};

/// The same with an event of its own.
template <class C>
class ScopedTask final : public NamedTask<C> {
 public:
  template <class... Given>
  ScopedTask(std::optional<Duration> limit, std::string name, CallSite added_at, Node& group,
             Given&&... given)
      : NamedTask<C>(std::move(name), added_at, group, std::forward<Given>(given)...), scope_(limit) {}

  TaskStatus run(Node& group) noexcept override {
    return scope_.run(
        this->name(), [&] { return NamedTask<C>::run(group); },
        [this](std::exception_ptr error) { return this->fail(std::move(error)); });
  }
  TaskScope* own_scope() noexcept override { return &scope_; }

 private:
  ~ScopedTask() noexcept override = default;
  TaskScope scope_;
};

/// A task without a handle: the link, and the callable or, after a failure, the exception in the same memory.
template <class C>
class PostedTask final : public Task {
 public:
  template <class... Given>
  explicit PostedTask(CallSite added_at, Given&&... given)
      : Task(Kind::plain, added_at), call_(std::forward<Given>(given)...) {}

  TaskStatus run(Node& group) noexcept override {
    std::exception_ptr error;
    try {
      static_cast<void>(call_(group));
    } catch (...) {
      error = current_failure();
    }
    if (error && is_stop(error, group)) return end(TaskStatus::stopped, nullptr);
    return end(TaskStatus::succeeded, std::move(error));
  }
  TaskStatus skip(const ReasonPointer&) noexcept override { return end(TaskStatus::skipped, nullptr); }

  const std::string* given_name() const noexcept override { return nullptr; }
  bool claim_failure() noexcept override { return true; }
  bool failure_is_claimed() const noexcept override { return false; }
  Failure failure() const override { return Failure{this->name(), error_, call_site().location()}; }
  void release() noexcept override {
    // Here and not in the destructor: an empty destructor does not write to the task, which came from another
    // processor's cache and is not changed otherwise.
    if (failed_) error_.~exception_ptr();
    delete this;
  }
  void discard() noexcept {
    end(TaskStatus::skipped, nullptr);
    release();
  }

 private:
  ~PostedTask() noexcept override {}  // see `release`

  TaskStatus end(TaskStatus status, std::exception_ptr error) noexcept {
    destroy_keeping_error(call_, error);
    if (!error) return status;
    ::new (static_cast<void*>(std::addressof(error_))) std::exception_ptr(std::move(error));
    failed_ = 1;
    return TaskStatus::failed;
  }

  union {
    C call_;                    // until the task ends
    std::exception_ptr error_;  // afterwards, if it failed
  };
};

}  // namespace tg::inline v0::detail
