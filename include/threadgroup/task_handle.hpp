// SPDX-License-Identifier: Apache-2.0
// The handle of a task: its status, its result, and a wait for it.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/task_slot.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/source_location.hpp>

namespace tg {
inline namespace v0 {

namespace detail {
struct SlotOf;
template <class T>
concept Object = std::is_object_v<T>;
}  // namespace detail

/// The handle of one task, with which its status is read, its end is awaited and its result is fetched.
///
///     TaskHandle<int> answer = group.add_task([] { return 42; });
///     std::cout << answer.get();
///
/// Requires: the handle has a task. On a handle that was default-constructed or moved from, everything but
/// `valid` and assignment throws `std::logic_error`.
/// Guarantees: a wait returns as soon as the task ends or the event of the caller's scope or group is set. A task
/// that waits for another task of its group lends its slot meanwhile, so it cannot hang because all slots are
/// in use.
/// Thread safety: any threads may use distinct handles of one task; `take` documents its effect on them.
/// Lifetime: may outlive the group. The result lives as long as any handle of the task.
template <class T>
class TaskHandle {
 public:
  TaskHandle() = default;  ///< no task
  /// For the library: takes over one reference.
  explicit TaskHandle(detail::ResultSlot<T>* slot) noexcept : slot_(slot) {}
  /// Another handle of the same task.
  TaskHandle(const TaskHandle& other) noexcept : slot_(other.slot_) {
    if (slot_ != nullptr) slot_->add_handle();
  }
  /// Leaves `other` without a task.
  TaskHandle(TaskHandle&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  /// Copies or moves.
  TaskHandle& operator=(TaskHandle other) noexcept {
    std::swap(slot_, other.slot_);
    return *this;
  }
  /// Does not wait: the task continues without the handle.
  ~TaskHandle() {
    if (slot_ != nullptr) slot_->release_handle();
  }

  /// True if the handle has a task.
  bool valid() const noexcept { return slot_ != nullptr; }
  /// The state of the task at this moment.
  TaskStatus status() const { return slot().status(); }
  /// True if the task has ended, in any of the four ways.
  bool done() const { return slot().done(); }
  /// The name given to the task, or "task 17".
  const std::string& name() const { return slot().shown_name(); }
  /// File and line where the task was added, if known.
  SourceLocation added_at() const { return slot().added_at(); }
  /// Why the task was stopped or skipped, if it was.
  std::optional<Reason> reason() const {
    const Reason* const reason = slot().reason();
    if (reason == nullptr) return std::nullopt;
    return *reason;
  }
  /// What the task threw, if it failed; else null. The failure does not count as delivered by this; `get`
  /// delivers it.
  std::exception_ptr exception() const { return slot().exception(); }

  /// Waits for the end of the task. Returns `ready` when the task has ended, in any of the four ways, and
  /// `event_set` if the event of the caller's scope or group was set first.
  ///
  /// The caller runs the task itself, under the conditions of `ThreadGroup::join`, if it is the next one of
  /// its group. A caller in a task of the same group runs it even if others come before it. While the caller
  /// runs the task, its own event does not end the wait; that event stops the task, too. A caller in a
  /// `StopScope` or `Shield` never runs it.
  ///
  /// Throws `std::system_error` (`resource_deadlock_would_occur`) in the task itself, and if the wait would
  /// deadlock because the task waits, directly or not, for the caller. The text names the tasks and groups
  /// between them.
  WaitOutcome wait() const { return slot().wait(); }
  /// As `wait`, but returns `timed_out` after the time-out, and does not run the task. A task that waits for
  /// another task of its own group may take longer: it has lent its slot, and continues when it has a slot
  /// again.
  WaitOutcome wait(Duration timeout) const { return slot().wait_for(timeout); }

  /// Waits, and returns the result: a copy, or, for a move-only type, the result itself, which works once.
  ///
  /// Throws what the task threw; if the task was stopped, the `Stopped` by which it exited; `TaskSkipped` if
  /// it never ran; `WaitInterrupted` if the event of the caller's scope or group was set first;
  /// `std::logic_error` if the result was moved out before, by `take` or by `get` of a move-only type; and
  /// what `wait` throws.
  T get() const {
    slot().wait_for_success();
    return result();
  }
  /// As `get`, but throws `TimedOut` after the time-out, and does not run the task.
  T get(Duration timeout) const {
    slot().wait_for_success(timeout);
    return result();
  }

  /// Stops only this task. A pending task is skipped. A running task with an event of its own
  /// (`TaskOptions::own_event`, `TaskOptions::time_limit`) is stopped as by `ThreadGroup::set_event`. True if this
  /// call did that; false if the task runs without an event of its own, was stopped before, or has ended.
  bool set_event(std::string message = {}, SourceLocation where = SourceLocation::current()) const {
    return slot().set_event(std::move(message), where);
  }

  /// Waits as `get` does, and moves the result out, once. Use it for results that are expensive to copy, or
  /// that only claim to be copyable, such as a vector of unique pointers. Afterwards `get`, `view` and `take`
  /// of all handles of the task throw `std::logic_error`.
  ///
  /// It does not move a result that another handle uses: if there are several handles, and one of them is
  /// copying the result in `get` or has shown it by `view`, it throws `std::logic_error` and leaves the
  /// result. (This does not apply to trivially copyable results, which do not change when they are moved.)
  template <detail::Object U = T>
  U take() const {
    slot().wait_for_success();
    slot_->claim_result();
    return std::move(slot_->stored());
  }

  /// Waits as `get` does, and returns a reference to the result, without a copy. The reference is valid as
  /// long as the task has a handle, and until the last handle moves the result out. Throws `std::logic_error`
  /// if the result was moved out before.
  template <class U = T>
  requires(!std::is_void_v<U>) const std::remove_reference_t<U>& view() const {
    slot().wait_for_success();
    if constexpr (std::is_reference_v<T>) {
      return *slot_->stored();
    } else {
      slot_->show_result();
      return slot_->stored();
    }
  }

 private:
  T result() const {
    if constexpr (std::is_void_v<T>) {
      return;
    } else if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*slot_->stored());
    } else if constexpr (std::is_copy_constructible_v<T>) {
      const detail::ResultPin<T> pin(*slot_);
      return slot_->stored();
    } else {
      slot_->claim_result();
      return std::move(slot_->stored());
    }
  }

  detail::ResultSlot<T>& slot() const {
    if (slot_ == nullptr) [[unlikely]]
      detail::throw_no_task();
    return *slot_;
  }

  friend struct detail::SlotOf;
  detail::ResultSlot<T>* slot_ = nullptr;
};

namespace detail {
/// The slot behind a handle, for the library's own use.
struct SlotOf {
  template <class T>
  static ResultSlot<T>* get(const TaskHandle<T>& handle) noexcept {
    return handle.slot_;
  }
  /// Passes the handle's reference to the caller.
  template <class T>
  static ResultSlot<T>* release(TaskHandle<T>&& handle) noexcept {
    return std::exchange(handle.slot_, nullptr);
  }
  /// Passes the caller's reference to a handle. Requires: it is the slot of a `TaskHandle<T>`.
  template <class T>
  static TaskHandle<T> adopt(TaskSlot& slot) noexcept {
    return TaskHandle<T>(static_cast<ResultSlot<T>*>(&slot));
  }
};
}  // namespace detail

}  // namespace v0
}  // namespace tg
