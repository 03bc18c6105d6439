// SPDX-License-Identifier: Apache-2.0
// The library's atomics, under a name of their own, so that a build for explorations can watch each access.
#pragma once

#include <atomic>
#if defined(TG_SIMULATION)
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#endif

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

#if !defined(TG_SIMULATION)

/// `std::atomic`, by the name under which the library's protocols use it.
template <class T>
using Atomic = std::atomic<T>;

#else  // only in the build of tests/explorations, which is never installed

enum class Access : std::uint8_t { load, store, change, full_fence, light_fence, heavy_fence };

/// The simulator may let any other flow continue here. `place` is where the access is in the code.
void point(Access access, const void* word, const void* place) noexcept;
/// The same for a flow that waits for others without sleeping.
void yield() noexcept;

/// A fence is a point where memory is weak, else nothing.
void fence(Access kind) noexcept;

/// The word's life has ended.
void destroyed(const void* word) noexcept;

/// What the word held before and after the access at the last point, for the trace. An address counts only as
/// null or not null. If `is_old`, the flow read `after` although the word held `before`.
struct SeenValues {
  std::int64_t before;
  std::int64_t after;
  bool is_old = false;
};
constexpr std::int64_t kSomeAddress = std::numeric_limits<std::int64_t>::min();
inline SeenValues untraced_values{};
inline SeenValues* seen_values = &untraced_values;

/// Where memory is weak: which store a load reads, and what a flow knows afterwards. Words are given by their
/// addresses, values by their bits; `newest` is what the word holds.
class MemoryModel {
 public:
  virtual void construct(const void* word, std::uint64_t value) noexcept = 0;
  virtual std::uint64_t load(const void* word, std::uint64_t newest, std::memory_order order) noexcept = 0;
  virtual void store(const void* word, std::uint64_t newest, std::uint64_t value,
                     std::memory_order order) noexcept = 0;
  virtual void change(const void* word, std::uint64_t newest, std::uint64_t value,
                      std::memory_order order) noexcept = 0;
  /// What a compare-and-exchange finds. If it is not what it expects, that was a load; else `change` follows.
  virtual std::uint64_t compare(const void* word, std::uint64_t newest, std::uint64_t expected,
                                std::memory_order failure) noexcept = 0;
  virtual void fence(Access kind) noexcept = 0;

 protected:
  ~MemoryModel() = default;
};
inline MemoryModel* memory_model = nullptr;  // null: memory is sequentially consistent

/// The part of `std::atomic` that the library uses, with a point before each access. All flows are on one
/// thread, so the accesses need not be atomic. Without a `memory_model` each schedule is sequentially
/// consistent.
template <class T>
class Atomic {
 public:
  constexpr Atomic() noexcept { constructed(); }
  constexpr Atomic(T value) noexcept  // NOLINT(google-explicit-constructor): as in std
      : value_(value) {
    constructed();
  }
  constexpr ~Atomic() {
    if (!std::is_constant_evaluated()) destroyed(this);
  }
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T operator=(T value) noexcept {  // NOLINT(misc-unconventional-assign-operator): as in std
    store(value);
    return value;
  }
  operator T() const noexcept { return load(); }  // NOLINT(google-explicit-constructor): as in std

  [[gnu::always_inline]] T load(std::memory_order order = std::memory_order_seq_cst) const noexcept {
    point(Access::load, this, here());
    if (memory_model != nullptr) [[unlikely]] {
      const T read = of_bits(memory_model->load(this, bits_of(value_), order));
      note(read, read != value_);
      return read;
    }
    note(value_);
    return value_;
  }
  [[gnu::always_inline]] void store(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    point(Access::store, this, here());
    if (memory_model != nullptr) [[unlikely]]
      memory_model->store(this, bits_of(value_), bits_of(value), order);
    note(value);
    value_ = value;
  }
  [[gnu::always_inline]] T exchange(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return change([value](T) { return value; }, order);
  }
  [[gnu::always_inline]] bool compare_exchange_strong(
      T& expected, T value, std::memory_order success = std::memory_order_seq_cst,
      std::memory_order failure = std::memory_order_seq_cst) noexcept {
    point(Access::change, this, here());
    T found = value_;
    if (memory_model != nullptr) [[unlikely]] {
      found = of_bits(memory_model->compare(this, bits_of(value_), bits_of(expected), failure));
      if (found == expected) memory_model->change(this, bits_of(value_), bits_of(value), success);
    }
    note(found == expected ? value : found, found != value_);
    if (found != expected) {
      expected = found;
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
  [[gnu::always_inline]] T fetch_add(T n, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return change([n](T old) { return static_cast<T>(old + n); }, order);
  }
  [[gnu::always_inline]] T fetch_sub(T n, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return change([n](T old) { return static_cast<T>(old - n); }, order);
  }
  [[gnu::always_inline]] T fetch_or(T bits, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return change([bits](T old) { return static_cast<T>(old | bits); }, order);
  }
  /// A point at which the simulated system looks at the word: it sees what it holds, even where memory is weak.
  [[gnu::always_inline]] T look() const noexcept {
    point(Access::load, this, here());
    note(value_);
    return value_;
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
  constexpr void constructed() const noexcept {
    if (!std::is_constant_evaluated() && memory_model != nullptr) [[unlikely]]
      memory_model->construct(this, bits_of(value_));
  }
  static std::uint64_t bits_of(T value) noexcept {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
  }
  static T of_bits(std::uint64_t bits) noexcept {
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  // The word is about to hold this, or the flow reads this, which may be older than what the word holds.
  [[gnu::always_inline]] void note(T value, bool is_old = false) const noexcept {
    *seen_values = {number_of(value_), number_of(value), is_old};
  }
  [[gnu::always_inline]] static std::int64_t number_of(T value) noexcept {
    if constexpr (std::is_pointer_v<T>) {
      return value == nullptr ? 0 : kSomeAddress;
    } else {
      return static_cast<std::int64_t>(value);
    }
  }
  template <class NewValue>
  [[gnu::always_inline]] T change(NewValue new_value, std::memory_order order) noexcept {
    point(Access::change, this, here());
    const T old = value_;
    const T value = new_value(old);
    if (memory_model != nullptr) [[unlikely]]
      memory_model->change(this, bits_of(old), bits_of(value), order);
    note(value);
    value_ = value;
    return old;
  }

  T value_{};
};

#endif

}  // namespace tg::inline v0::detail
