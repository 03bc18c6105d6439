// SPDX-License-Identifier: Apache-2.0
// The library's atomics, under a name of their own, so that a build for explorations can watch each access.
#pragma once

#include <atomic>
#if defined(TG_SIMULATION)
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>
#endif

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

#if !defined(TG_SIMULATION)

/// `std::atomic`, by the name under which the library's protocols use it.
template <class T>
using Atomic = std::atomic<T>;

#else  // only in the build of tests/explorations, which is never installed

enum class Access : std::uint8_t { load, store, change };

/// The simulator may let any other flow continue here. `place` is where the access is in the code.
void point(Access access, const void* word, const void* place) noexcept;
/// The same for a flow that waits for others without sleeping.
void yield() noexcept;

/// What the library reports on stderr is in the trace instead.
void say(std::string_view text) noexcept;

/// What the word held before and after the access at the last point, for the trace. An address counts only as
/// null or not null.
struct SeenValues {
  std::int64_t before;
  std::int64_t after;
};
constexpr std::int64_t kSomeAddress = std::numeric_limits<std::int64_t>::min();
inline SeenValues untraced_values{};
inline SeenValues* seen_values = &untraced_values;

/// The part of `std::atomic` that the library uses, with a point before each access. All flows are on one
/// thread, so the accesses need not be atomic, and each schedule is sequentially consistent.
template <class T>
class Atomic {
 public:
  constexpr Atomic() noexcept = default;
  constexpr Atomic(T value) noexcept : value_(value) {}  // NOLINT(google-explicit-constructor): as in std
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T operator=(T value) noexcept {  // NOLINT(misc-unconventional-assign-operator): as in std
    store(value);
    return value;
  }
  operator T() const noexcept { return load(); }  // NOLINT(google-explicit-constructor): as in std

  [[gnu::always_inline]] T load(std::memory_order = std::memory_order_seq_cst) const noexcept {
    point(Access::load, this, here());
    note(value_);
    return value_;
  }
  [[gnu::always_inline]] void store(T value, std::memory_order = std::memory_order_seq_cst) noexcept {
    point(Access::store, this, here());
    note(value);
    value_ = value;
  }
  [[gnu::always_inline]] T exchange(T value, std::memory_order = std::memory_order_seq_cst) noexcept {
    return change([value](T) { return value; });
  }
  [[gnu::always_inline]] bool compare_exchange_strong(
      T& expected, T value, std::memory_order = std::memory_order_seq_cst,
      std::memory_order = std::memory_order_seq_cst) noexcept {
    point(Access::change, this, here());
    note(value_ == expected ? value : value_);
    if (value_ != expected) {
      expected = value_;
      return false;
    }
    value_ = value;
    return true;
  }
  [[gnu::always_inline]] bool compare_exchange_weak(
      T& expected, T value, std::memory_order success = std::memory_order_seq_cst,
      std::memory_order failure = std::memory_order_seq_cst) noexcept {
    return compare_exchange_strong(expected, value, success, failure);
  }
  [[gnu::always_inline]] T fetch_add(T n, std::memory_order = std::memory_order_seq_cst) noexcept {
    return change([n](T old) { return static_cast<T>(old + n); });
  }
  [[gnu::always_inline]] T fetch_sub(T n, std::memory_order = std::memory_order_seq_cst) noexcept {
    return change([n](T old) { return static_cast<T>(old - n); });
  }
  [[gnu::always_inline]] T fetch_or(T bits, std::memory_order = std::memory_order_seq_cst) noexcept {
    return change([bits](T old) { return static_cast<T>(old | bits); });
  }
  /// Without a point: for the simulated system, which reads the words on which flows sleep.
  T value_as_it_is() const noexcept { return value_; }

 private:
  // The address of the caller's code, which the trace turns into file and line.
  [[gnu::always_inline]] static const void* here() noexcept {
    const void* address = nullptr;
#if defined(__x86_64__)
    asm volatile("leaq 0(%%rip), %0" : "=r"(address));
#elif defined(__aarch64__)
    asm volatile("adr %0, ." : "=r"(address));
#endif
    return address;
  }
  // The word is about to hold this.
  [[gnu::always_inline]] void note(T value) const noexcept {
    *seen_values = {number_of(value_), number_of(value)};
  }
  [[gnu::always_inline]] static std::int64_t number_of(T value) noexcept {
    if constexpr (std::is_pointer_v<T>) {
      return value == nullptr ? 0 : kSomeAddress;
    } else {
      return static_cast<std::int64_t>(value);
    }
  }
  template <class NewValue>
  [[gnu::always_inline]] T change(NewValue new_value) noexcept {
    point(Access::change, this, here());
    const T old = value_;
    const T value = new_value(old);
    note(value);
    value_ = value;
    return old;
  }

  T value_{};
};

#endif

}  // namespace tg::inline v0::detail
