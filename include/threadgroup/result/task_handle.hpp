// SPDX-License-Identifier: Apache-2.0
// The user's end of a task.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include <threadgroup/base/duration.hpp>
#include <threadgroup/result/errors.hpp>
#include <threadgroup/result/task_slot.hpp>
#include <threadgroup/runtime/clock.hpp>

namespace tg {

namespace detail {
struct SlotOf;
}

/// Looks at one task, waits for it, and has its result.
///
///     TaskHandle<int> answer = group.add_task([] { return 42; });
///     std::cout << answer.get();
///
/// Requires: a default-made handle has no task; only `valid` and assignment make sense on it.
/// Guarantees: a wait wakes as soon as the task ends or the event of the caller's own group is set. A task
/// that waits for another one of its group lends its place meanwhile, so that this cannot hang for want of a
/// place. Thread safety: distinct handles of one task from any threads. Lifetime: outlives the group. The
/// result lives as long as any handle.
template <class T>
class TaskHandle {
 public:
  TaskHandle() = default;
  explicit TaskHandle(detail::ResultSlot<T>* slot) noexcept : slot_(slot) {}  // takes over one reference
  TaskHandle(const TaskHandle& other) noexcept : slot_(other.slot_) {
    if (slot_ != nullptr) slot_->add_reference();
  }
  TaskHandle(TaskHandle&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  TaskHandle& operator=(TaskHandle other) noexcept {
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~TaskHandle() {
    if (slot_ != nullptr) slot_->release();
  }

  bool valid() const noexcept { return slot_ != nullptr; }
  TaskStatus status() const noexcept { return slot_->status(); }
  bool done() const noexcept { return slot_->done(); }
  /// The name given to the task, or "task 17".
  const std::string& name() const { return slot_->shown_name(); }
  /// Why it was stopped or skipped, if it was.
  std::optional<Reason> reason() const {
    const Reason* const reason = slot_->reason();
    if (reason == nullptr) return std::nullopt;
    return *reason;
  }
  /// What it threw, if it failed. Asking does not count as having seen it; `get` does.
  std::exception_ptr exception() const { return slot_->exception(); }

  /// True once the task has ended, in whichever way. False if the caller's event was set first.
  /// Throws `std::system_error` (`resource_deadlock_would_occur`) in the task itself.
  bool wait() const { return slot_->wait(TimePoint::never()) == detail::WaitOutcome::ready; }
  /// The same; false also after the time-out. In a task that waits for another one of its own group it may
  /// take longer: its place was lent, and it goes on when it has one again.
  bool wait(Duration timeout) const {
    return slot_->wait(runtime::after(timeout)) == detail::WaitOutcome::ready;
  }

  /// Waits, and returns the result: a copy, or for a type that can only be moved the result itself, once.
  /// Throws what the task threw; the `Stopped` by which it left if it was stopped; `TaskSkipped` if it never
  /// ran; `WaitInterrupted` if the caller's event was set first; `std::logic_error` if a result that can only
  /// be moved was taken before.
  T get() const {
    slot_->wait_for_success();
    if constexpr (std::is_void_v<T>) {
      return;
    } else if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*slot_->stored());
    } else if constexpr (std::is_copy_constructible_v<T>) {
      if (slot_->result_is_taken()) throw_taken();
      return slot_->stored();
    } else {
      return take();
    }
  }

  /// Waits as `get` does, and moves the result out, once; for what is dear to copy, or only looks as if it
  /// could be copied, as a vector of unique pointers does. Throws `std::logic_error` if it was taken before.
  template <class U = T>
  requires std::is_object_v<U> U take()
  const {
    slot_->wait_for_success();
    if (!slot_->claim_result())
      throw std::logic_error("the result of task '" + name() + "' was taken before");
    return std::move(slot_->stored());
  }

  /// Waits as `get` does, and shows the result where it is; valid as long as a handle of the task lives.
  template <class U = T>
  requires(!std::is_void_v<U>) const std::remove_reference_t<U>& view() const {
    slot_->wait_for_success();
    if constexpr (std::is_reference_v<T>) {
      return *slot_->stored();
    } else {
      return slot_->stored();
    }
  }

 private:
  [[noreturn]] void throw_taken() const {
    throw std::logic_error("the result of task '" + name() + "' was taken before");
  }

  friend struct detail::SlotOf;
  detail::ResultSlot<T>* slot_ = nullptr;
};

namespace detail {
/// What stands behind a handle, for the library's own use.
struct SlotOf {
  template <class T>
  static ResultSlot<T>* get(const TaskHandle<T>& handle) noexcept {
    return handle.slot_;
  }
};
}  // namespace detail

}  // namespace tg
