// SPDX-License-Identifier: Apache-2.0
// What chooses during a schedule, instead of a plan that was made before it.
#pragma once

#include <cstddef>
#include <span>

#include "sim/trace.hpp"

namespace tg::inline v0::sim {

/// Makes the choices of a schedule, and hears what they depend on. The schedule's word is the path that the
/// choices make, so it can be replayed without the guide.
///
/// Thread safety: belongs to its scheduler.
class Guide {
 public:
  /// Which of these flows continues. The simplest option is first; 0 is the clock.
  virtual std::size_t next(std::span<const std::size_t> flows) noexcept = 0;
  /// Which of `count` sleepers is woken.
  virtual std::size_t sleeper(std::size_t count) noexcept = 0;

  /// The flow is before an access of this kind; others may run until it makes it.
  virtual void approaches(std::size_t flow, Step::Kind kind, const void* word) noexcept = 0;
  /// The flow makes the access that it has approached. It will be the next step of the trace.
  virtual void proceeds(std::size_t flow) noexcept = 0;
  /// The next access that the running flow approaches takes a lock.
  virtual void approaches_lock() noexcept = 0;
  /// The running flow ends the life of a word.
  virtual void destroys(std::size_t flow, const void* word) noexcept = 0;
  /// What the running flow does next depends on the time.
  virtual void reads_clock(std::size_t flow) noexcept = 0;
  /// The running flow wakes this one.
  virtual void wakes(std::size_t flow) noexcept = 0;
  /// The flow has ended its part; the last one wakes the flow that sleeps on the word.
  virtual void leaves(std::size_t flow, const void* word) noexcept = 0;
  /// Time passes only when no flow can run.
  virtual void holds_clock() noexcept = 0;
  /// The body explores the lock itself.
  virtual void looks_into_locks() noexcept = 0;

 protected:
  ~Guide() = default;
};

}  // namespace tg::inline v0::sim
