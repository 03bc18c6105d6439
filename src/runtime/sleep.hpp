// SPDX-License-Identifier: Apache-2.0
// How a flow sleeps on a word of memory.
#pragma once

#include <cstdint>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/duration.hpp>

#include "runtime/flow.hpp"
#include "runtime/futex.hpp"
#include "runtime/threads.hpp"
#include "runtime/wait_word.hpp"

namespace tg::inline v0::runtime {

// In a build for explorations, a schedule fails if the caller holds a lock.
inline void expect_no_lock([[maybe_unused]] const char* otherwise) noexcept {
#if defined(TG_SIMULATION)
  if (Engine* const engine = Engine::of_caller()) engine->expect_no_lock(otherwise);
#endif
}

/// While it lives, `Flow::wake_some` finds the calling flow asleep on the word. Of a flow that goes to sleep
/// and a shortage of threads that begins at the same time, at least one sees the other, because both store
/// and then load with sequential consistency: the flow sees the shortage, or `wake_some` finds the flow.
class Asleep {
 public:
  explicit Asleep(tg::detail::Atomic<std::uint32_t>& word) noexcept : flow_(Flow::current_if_any()) {
    if (flow_ == nullptr) return;
    flow_->has_slept_ = true;
    if (flow_->wait_word != nullptr) flow_->wait_word->fall_asleep();
    flow_->sleeps_on_.store(&word, std::memory_order_seq_cst);
  }
  /// On the word that `Flow::unpark` changes.
  explicit Asleep(Flow& me) noexcept : Asleep(me.state_) {}
  ~Asleep() {
    if (flow_ != nullptr) flow_->sleeps_on_.store(nullptr, std::memory_order_relaxed);
  }
  Asleep(const Asleep&) = delete;
  Asleep& operator=(const Asleep&) = delete;

 private:
  Flow* const flow_;  // null on a thread that has not become a flow
};

/// The system no longer waits for two words: the process has entered a sandbox. Sleeps on the first one for a short
/// time, after which the caller looks at both. Later waits need no second word.
void sleep_though_refused(const SleepWord& first, TimePoint deadline) noexcept;

/// Sleeps while the word, and the second one if there is one, hold what is expected, until the deadline: in the
/// system, or in the caller's engine.
inline void sleep_until(const SleepWord& first, const SleepWord* second, TimePoint deadline) noexcept {
  if constexpr (!kIsExplored) {
    if (Engine* const engine = Engine::of_caller()) [[unlikely]] {
      if (first.holds()) engine->sleep(&first.word, deadline, nullptr);
      return;
    }
  }
  if (second == nullptr) return futex_wait(first.word, first.expected, deadline);
  if (!futex_wait(first, *second, deadline)) sleep_though_refused(first, deadline);
}

/// Whether the calling flow can sleep on two words at a time.
bool can_sleep_on_two_words() noexcept;

/// Wakes up to `most` flows that sleep on the word, and returns how many. `engine` is the one that runs them;
/// null: the system.
inline long wake_sleepers(Engine* engine, tg::detail::Atomic<std::uint32_t>& word, int most,
                          bool may_switch) noexcept {
  if constexpr (kIsExplored) engine = Engine::of_caller();
  if (may_switch) expect_no_lock("a flow was woken while a lock was held");
  if (engine != nullptr) [[unlikely]] {
    return engine->wake(&word, most, may_switch);
  }
  return futex_wake(word, most);
}

/// Sleeps for a limited time, and meanwhile asks the system for threads for the jobs that wait for one.
void sleep_and_ask_for_threads(const SleepWord& first, const SleepWord* second, TimePoint deadline) noexcept;

/// Sleeps while the word holds what is expected, until the deadline. May return early; the caller checks again.
/// With a second word it sleeps while both do. Requires then: `can_sleep_on_two_words`.
inline void sleep_on(const SleepWord& first, TimePoint deadline, const SleepWord* second = nullptr) noexcept {
  expect_no_lock("a flow goes to sleep while it holds a lock");
  const Asleep asleep(first.word);
  if (ThreadCache::instance().is_short_of_threads()) [[unlikely]]
    return sleep_and_ask_for_threads(first, second, deadline);
  sleep_until(first, second, deadline);
}

}  // namespace tg::inline v0::runtime
