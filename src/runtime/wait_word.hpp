// SPDX-License-Identifier: Apache-2.0
// What a task waits for, in two words that other flows read at any time.
#pragma once

#include <cstdint>
#include <type_traits>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/duration.hpp>

#include "runtime/engine.hpp"
#include "runtime/steady_clock.hpp"

namespace tg::inline v0::runtime {

/// The static text of the wait that a flow is in, and since when it sleeps there.
///
///     word.begin("a condition");  // a store; the clock is read only once the flow falls asleep
///     word.end(nullptr);
///
/// Thread safety: one flow writes; `what` and `since` from any thread.
/// Memory ordering: a reader that finds a text finds no time of an earlier wait.
class WaitWord {
 public:
  [[gnu::always_inline]] void begin(const char* what) noexcept {
    since_.store(0, std::memory_order_relaxed);
    what_.store(what, std::memory_order_release);
  }
  /// Back in the wait around this one, or (null) in none.
  void end(const char* outer) noexcept { begin(outer); }
  void fall_asleep() noexcept {
    if (what() == nullptr || since_.load(std::memory_order_relaxed) != 0) return;
    since_.store(coarse_now().nanos(), std::memory_order_relaxed);
  }

  /// Null while the task runs. The text lives as long as the program.
  const char* what() const noexcept { return what_.load(std::memory_order_acquire); }
  /// To the nearest tick of the kernel; never in a wait that has not slept yet.
  TimePoint since() const noexcept {
    const std::int64_t nanos = since_.load(std::memory_order_relaxed);
    return nanos == 0 ? TimePoint::never() : TimePoint::from_nanos(nanos);
  }

 private:
  // Nothing is decided by these words, so an exploration need not try each order of the accesses to them.
  template <class T>
  class Unwatched {
   public:
    void store(T value, std::memory_order) noexcept { value_ = value; }
    T load(std::memory_order) const noexcept { return value_; }

   private:
    T value_{};
  };
  template <class T>
  using Word = std::conditional_t<kIsExplored, Unwatched<T>, tg::detail::Atomic<T>>;

  // Atomic: read by flows that take a snapshot.
  Word<const char*> what_{};
  Word<std::int64_t> since_{};
};

}  // namespace tg::inline v0::runtime
