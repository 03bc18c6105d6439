// SPDX-License-Identifier: Apache-2.0
// Why an event was set.
#pragma once

#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include <threadgroup/base/duration.hpp>
#include <threadgroup/base/source_location.hpp>
#include <threadgroup/runtime/blocks.hpp>

namespace tg {

/// Identifies a group for the life of the process. Zero is no group.
struct GroupId {
  std::uint64_t value = 0;
  friend auto operator<=>(GroupId, GroupId) = default;
};

enum class ReasonKind {
  requested,      ///< a call of `set_event`
  condition_met,  ///< a `wait_for_condition` came true
  failure,        ///< a task failed in a group that stops at the first failure
  deadline,       ///< the group's time limit passed
  destroyed,      ///< the group's object went away
  signal,         ///< the process got a signal to stop
};
const char* to_string(ReasonKind kind) noexcept;

/// Why an event was set, and where it started: on a descendant, `origin` names the group that was set first.
struct Reason {
  ReasonKind kind = ReasonKind::requested;
  std::string message;
  GroupId origin;
  std::string origin_path;          // "MainThread/Verifying Users"
  std::optional<std::string> task;  // the task that caused it, if one did
  SourceLocation where;
  TimePoint when;
  std::exception_ptr exception;  // of kind `failure`: what the task threw

  /// One line for people: "requested by MainThread/Verifying Users: enough users (main.cpp:42)".
  std::string str() const;
};

namespace detail {
/// The current exception, for a handler that catches everything that a task throws.
///
/// `pthread_exit` and `pthread_cancel` unwind a thread as an exception does, but cannot be stored like one;
/// and a thread that exits in the middle of a task would leave the task without a result and its place
/// occupied. So in that case this function names the task on stderr and calls `std::abort`.
std::exception_ptr current_failure() noexcept;
}  // namespace detail

/// The text of an exception: its `what()`, or the name of its type if it has none or that is null.
std::string describe_exception(const std::exception_ptr& exception);

namespace detail {

/// The same where nothing may be thrown: "out of memory" if there is none for the text.
std::string describe_if_possible(const std::exception_ptr& exception) noexcept;

/// One reason, shared by the events of a whole subtree and by the tasks that it skipped.
///
/// Lifetime: counted. `add_references` takes many at once, so that marking 100,000 groups is one atomic
/// addition.
class SharedReason : public runtime::InBlock {
 public:
  explicit SharedReason(Reason reason) : reason_(std::move(reason)) {}
  const Reason& operator*() const noexcept { return reason_; }
  /// For one that is made beforehand and filled in when it is needed. Requires: no other thread knows it yet.
  Reason& before_it_is_shared() noexcept { return reason_; }

  void add_references(std::size_t count) const noexcept {
    references_.fetch_add(count, std::memory_order_relaxed);
  }
  void release(std::size_t count = 1) const noexcept {
    if (references_.fetch_sub(count, std::memory_order_acq_rel) == count) delete this;
  }

 private:
  ~SharedReason() = default;

  Reason reason_;                                   // constant once it is shared
  mutable std::atomic<std::size_t> references_{1};  // atomic: owners on many threads
};

/// Owns one reference to a shared reason, or nothing.
class ReasonPointer {
 public:
  ReasonPointer() = default;
  static ReasonPointer adopt(const SharedReason* reason) noexcept { return ReasonPointer(reason); }
  static ReasonPointer share(const SharedReason* reason) noexcept {
    if (reason != nullptr) reason->add_references(1);
    return ReasonPointer(reason);
  }
  ReasonPointer(const ReasonPointer& other) noexcept : ReasonPointer(share(other.reason_)) {}
  ReasonPointer(ReasonPointer&& other) noexcept : reason_(std::exchange(other.reason_, nullptr)) {}
  ReasonPointer& operator=(ReasonPointer other) noexcept {
    std::swap(reason_, other.reason_);
    return *this;
  }
  ~ReasonPointer() {
    if (reason_ != nullptr) reason_->release();
  }

  const SharedReason* get() const noexcept { return reason_; }
  const SharedReason* detach() noexcept { return std::exchange(reason_, nullptr); }
  explicit operator bool() const noexcept { return reason_ != nullptr; }
  const Reason& operator*() const noexcept { return **reason_; }
  const Reason* operator->() const noexcept { return &**reason_; }

 private:
  explicit ReasonPointer(const SharedReason* reason) noexcept : reason_(reason) {}
  const SharedReason* reason_ = nullptr;
};

}  // namespace detail
}  // namespace tg
