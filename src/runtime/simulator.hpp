// SPDX-License-Identifier: Apache-2.0
// What a build for explorations asks instead of the system. In other builds it is not used.
#pragma once

#include <cstddef>
#include <string_view>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/duration.hpp>

namespace tg::inline v0::runtime {

#if defined(TG_SIMULATION)
constexpr bool kIsSimulated = true;
#else
constexpr bool kIsSimulated = false;
#endif

#if defined(TG_SIMULATION)

/// The system of one schedule: it sleeps and wakes flows, starts them, and has the time.
///
/// Thread safety: none; everything is on one thread.
class Simulator {
 public:
  /// Null while no schedule runs. Then there is one flow, and nothing to wait for.
  static Simulator* running() noexcept { return running_; }

  virtual void point(tg::detail::Access access, const void* word, const void* place) noexcept = 0;
  virtual void yield(const void* place) noexcept = 0;
  /// The calling flow sleeps on the word.
  virtual void sleep(const void* word, TimePoint deadline) noexcept = 0;
  /// Says how many flows it woke.
  virtual long wake(const void* word, int most) noexcept = 0;
  virtual TimePoint now() noexcept = 0;
  /// Starts a flow. False if there are too many.
  virtual bool start(void* (*main)(void*), void* argument) noexcept = 0;

  virtual void say(std::string_view text) noexcept = 0;
  virtual void name_flow(std::string_view name) noexcept = 0;
  virtual int number_of_flow() const noexcept = 0;
  struct Stack {
    const std::byte* low;
    std::size_t bytes;
  };
  virtual Stack stack_of_flow() const noexcept = 0;

  /// Registers what makes a part of the library as it was when the program started.
  static void at_restart(void (*forget)());
  static void restart() noexcept;

 protected:
  ~Simulator() = default;
  static Simulator* running_;
};

#endif

}  // namespace tg::inline v0::runtime
