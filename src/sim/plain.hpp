// SPDX-License-Identifier: Apache-2.0
// Plain data in a body, whose accesses must be ordered by something else.
#pragma once

#include <utility>

#include "sim/memory_model.hpp"

namespace tg::inline v0::sim {

/// A variable that is not atomic. Where memory is weak, an access that does not happen after the last write,
/// or a write that does not happen after the last reads, fails the schedule, and the message names both
/// places.
///
///     Plain<int> value{0};
///     together({{"writer", [&] { value.write(1); ready.store(true, std::memory_order_release); }}, ...
///
/// An access is no point: whether two are ordered does not depend on which one comes first.
template <class T>
class Plain {
 public:
  explicit Plain(T value = T()) : value_(std::move(value)) {
    if (WeakMemory* const memory = WeakMemory::running()) memory->write_plain(accesses_, here());
  }
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain&) = delete;

  [[gnu::always_inline]] const T& read() const {
    if (WeakMemory* const memory = WeakMemory::running()) memory->read_plain(accesses_, here());
    return value_;
  }
  [[gnu::always_inline]] void write(T value) {
    if (WeakMemory* const memory = WeakMemory::running()) memory->write_plain(accesses_, here());
    value_ = std::move(value);
  }

 private:
  // Within the caller's code.
  [[gnu::noinline]] static const void* here() noexcept {
    return static_cast<const char*>(__builtin_return_address(0)) - 1;
  }

  T value_;
  mutable WeakMemory::PlainAccesses accesses_;
};

}  // namespace tg::inline v0::sim
