// SPDX-License-Identifier: Apache-2.0
// What a task waits for, in words that other flows read at any time.
#pragma once

#include <cstdint>
#include <type_traits>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/duration.hpp>

#include "runtime/engine.hpp"
#include "runtime/steady_clock.hpp"

namespace tg::inline v0::runtime {

/// The static text of the wait that a flow is in, for some calls a descriptor, and since when it sleeps there.
///
///     const WaitWord::State outer = word.state();
///     word.begin("a condition");  // four stores; the clock is read only once the flow falls asleep
///     word.restore(outer);
///
/// Thread safety: one flow writes; `read` from any thread.
/// Memory ordering: a reader finds a descriptor and a time only with the text of their wait, or of another wait with the same text.
class WaitWord {
 public:
  struct State {
    const char* what = nullptr;  // null while the task runs; it lives as long as the program
    int descriptor = -1;         // -1 if there is none
    std::int64_t since = 0;      // in nanoseconds, to the nearest tick of the kernel; 0: it has not slept yet
  };

  [[gnu::always_inline]] void begin(const char* what) noexcept { restore({what}); }
  /// For a system call: its time counts from its beginning, because nothing tells when it falls asleep. Reads the kernel's coarse clock.
  [[gnu::always_inline]] void begin_call(const char* what, int descriptor) noexcept {
    restore({what, descriptor, coarse_now().nanos()});
  }
  /// In no wait any more.
  void end() noexcept { restore({}); }
  void fall_asleep() noexcept {
    if (what_.load(std::memory_order_relaxed) == nullptr || since_.load(std::memory_order_relaxed) != 0)
      return;
    since_.store(coarse_now().nanos(), std::memory_order_relaxed);
  }

  /// For the flow itself.
  State state() const noexcept {
    return {what_.load(std::memory_order_relaxed), descriptor_.load(std::memory_order_relaxed),
            since_.load(std::memory_order_relaxed)};
  }
  [[gnu::always_inline]] void restore(const State& state) noexcept {
    what_.store(nullptr, std::memory_order_relaxed);
    // A reader that finds one of these finds the text before them gone.
    since_.store(state.since, std::memory_order_release);
    descriptor_.store(state.descriptor, std::memory_order_release);
    what_.store(state.what, std::memory_order_release);
  }
  /// For any flow. If the wait changes meanwhile, only the text.
  State read() const noexcept {
    const char* const what = what_.load(std::memory_order_acquire);
    // Not moved behind the second look.
    const int descriptor = descriptor_.load(std::memory_order_acquire);
    const std::int64_t since = since_.load(std::memory_order_acquire);
    if (what_.load(std::memory_order_relaxed) != what) return {what};
    return {what, descriptor, since};
  }

 private:
  // Nothing is decided by these words, so an exploration need not try each order of the accesses to them.
  template <class T>
  class Unwatched {
   public:
    constexpr Unwatched(T value) noexcept : value_(value) {}
    void store(T value, std::memory_order) noexcept { value_ = value; }
    T load(std::memory_order) const noexcept { return value_; }

   private:
    T value_;
  };
  template <class T>
  using Word = std::conditional_t<kIsExplored, Unwatched<T>, tg::detail::Atomic<T>>;

  // Atomic: read by flows that take a snapshot.
  Word<const char*> what_{nullptr};
  Word<int> descriptor_{-1};
  Word<std::int64_t> since_{0};
};

}  // namespace tg::inline v0::runtime
