// SPDX-License-Identifier: Apache-2.0
// A reason that many events and tasks share.
#pragma once

#include <cstddef>
#include <utility>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/blocks.hpp>
#include <threadgroup/reason.hpp>

namespace tg::inline v0::detail {

/// One reason, shared by the events of a whole subtree and by the tasks that were skipped because of it.
///
/// Lifetime: counted. `add_references` takes many at once, so that marking 100,000 groups is one atomic
/// addition.
class SharedReason : public runtime::InBlock {
 public:
  explicit SharedReason(Reason reason) : reason_(std::move(reason)) {}
  explicit SharedReason(ReasonKind kind) { reason_.kind = kind; }
  const Reason& operator*() const noexcept { return reason_; }
  /// For a reason that is allocated in advance and filled in later. Requires: no other thread has a reference
  /// yet.
  Reason& before_it_is_shared() noexcept { return reason_; }

  void add_references(std::size_t count) const noexcept {
    references_.fetch_add(count, std::memory_order_relaxed);
  }
  void release(std::size_t count = 1) const noexcept {
    if (references_.fetch_sub(count, std::memory_order_acq_rel) == count) delete this;
  }

 private:
  ~SharedReason() = default;

  Reason reason_;                              // constant once it is shared
  mutable Atomic<std::size_t> references_{1};  // atomic: owners on many threads
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

}  // namespace tg::inline v0::detail
