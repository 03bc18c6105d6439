// SPDX-License-Identifier: Apache-2.0
// The user's end of a task.
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

namespace detail {
struct SlotOf;
}

/// Looks at one task, waits for it, and has its result.
///
///     TaskHandle<int> answer = group.add_task([] { return 42; });
///     std::cout << answer.get();
///
/// Requires: it has a task. On a handle that was default-constructed or moved from, everything but `valid`
/// and assignment throws `std::logic_error`.
///
/// Guarantees: a wait wakes as soon as the task ends or the event of the caller's own group is set. A task
/// that waits for another one of its group lends its place meanwhile, so this cannot hang because the places
/// are taken.
///
/// Thread safety: distinct handles of one task from any threads; `take` says what it does to the others.
///
/// Lifetime: outlives the group. The result lives as long as any handle.
template <class T>
class TaskHandle {
 public:
  TaskHandle() = default;
  explicit TaskHandle(detail::ResultSlot<T>* slot) noexcept : slot_(slot) {}  // takes over one reference
  TaskHandle(const TaskHandle& other) noexcept : slot_(other.slot_) {
    if (slot_ != nullptr) slot_->add_handle();
  }
  TaskHandle(TaskHandle&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  TaskHandle& operator=(TaskHandle other) noexcept {
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~TaskHandle() {
    if (slot_ != nullptr) slot_->release_handle();
  }

  bool valid() const noexcept { return slot_ != nullptr; }
  TaskStatus status() const { return slot().status(); }
  bool done() const { return slot().done(); }
  /// The name given to the task, or "task 17".
  const std::string& name() const { return slot().shown_name(); }
  /// File and line where the task was added, if known.
  SourceLocation added_at() const { return slot().added_at(); }
  /// Why it was stopped or skipped, if it was.
  std::optional<Reason> reason() const {
    const Reason* const reason = slot().reason();
    if (reason == nullptr) return std::nullopt;
    return *reason;
  }
  /// What it threw, if it failed. Asking does not count as having seen it; `get` does.
  std::exception_ptr exception() const { return slot().exception(); }

  /// `ready` once the task has ended, in whichever way; `event_set` if the caller's event was set first.
  /// Throws `std::system_error` (`resource_deadlock_would_occur`) in the task itself, and where the wait
  /// would close a circle: the task waits for the caller. The text names the path.
  WaitOutcome wait() const { return slot().wait(TimePoint::never()); }
  /// The same; `timed_out` after the time-out. In a task that waits for another one of its own group it may
  /// take longer: its place was lent, and it goes on when it has one again.
  WaitOutcome wait(Duration timeout) const { return slot().wait_for(timeout); }

  /// Waits, and returns the result: a copy, or for a type that can only be moved the result itself, once.
  /// Throws what the task threw; the `Stopped` by which it left if it was stopped; `TaskSkipped` if it never
  /// ran; `WaitInterrupted` if the caller's event was set first; `std::logic_error` if a result that can only
  /// be moved, or was moved by `take`, is gone.
  T get() const {
    slot().wait_for_success();
    if constexpr (std::is_void_v<T>) {
      return;
    } else if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*slot_->stored());
    } else if constexpr (std::is_copy_constructible_v<T>) {
      const detail::ResultPin<T> pin(*slot_);
      return slot_->stored();
    } else {
      return take();
    }
  }

  /// Waits as `get` does, and moves the result out, once; for what is dear to copy, or only looks as if it
  /// could be copied, as a vector of unique pointers does. From then on `get`, `view` and `take` of all
  /// handles of the task throw `std::logic_error`.
  ///
  /// It moves nothing away from under another handle: while there are several, it throws `std::logic_error`
  /// and leaves the result if one of them is copying it in `get`, or if `view` has shown it. (A trivially
  /// copyable result stays as it is when it is moved, so this does not concern it.)
  template <class U = T>
  requires std::is_object_v<U> U take()
  const {
    slot().wait_for_success();
    slot_->claim_result();
    return std::move(slot_->stored());
  }

  /// Waits as `get` does, and shows the result where it is; valid as long as a handle of the task lives, and
  /// until the only handle left moves the result out. Throws `std::logic_error` if it was taken before.
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
  /// The handle's reference becomes the caller's.
  template <class T>
  static ResultSlot<T>* release(TaskHandle<T>&& handle) noexcept {
    return std::exchange(handle.slot_, nullptr);
  }
  /// The caller's reference becomes the handle's. Requires: it is the slot of a `TaskHandle<T>`.
  template <class T>
  static TaskHandle<T> adopt(TaskSlot& slot) noexcept {
    return TaskHandle<T>(static_cast<ResultSlot<T>*>(&slot));
  }
};
}  // namespace detail

}  // namespace tg
