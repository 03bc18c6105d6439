// SPDX-License-Identifier: Apache-2.0
// Engines: what runs flows that have no thread of their own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/duration.hpp>

namespace tg::inline v0::runtime {

class Flow;

// Whether this is the build for explorations, in which each access of an atomic is a point (src/sim/README.md).
#if defined(TG_SIMULATION)
constexpr bool kIsExplored = true;
#else
constexpr bool kIsExplored = false;
#endif

/// Runs flows as contexts of one thread: it starts them, puts them to sleep, wakes them, and tells the time.
///
///     if (Engine* const engine = Engine::of_caller()) return engine->now();
///
/// While an engine runs, all flows on its thread belong to it, and each has a pointer to it for the flows
/// that wake it. The library asks for the engine only where a flow sleeps, wakes another, starts one, reads
/// the clock, or uses something that the process has only once (`Part`).
///
/// Thread safety: none; all calls come from the engine's thread. A call from another thread ends the process
/// with a message.
/// Lifetime: objects of the library refer to their engine as long as they live, so it is not destroyed.
class TG_EXPORT Engine {
 public:
  /// The engine that runs the calling flow; null on a thread of the operating system.
  static Engine* of_caller() noexcept { return running_; }

  /// Starts a flow. Returns 0, or the error number with which an operating system refuses a thread.
  virtual int start(void* (*main)(void*), void* argument) noexcept = 0;
  /// The calling flow sleeps on the word, and on the second one unless it is null, at most until the deadline.
  virtual void sleep(const void* word, TimePoint deadline, const void* second) noexcept = 0;
  /// Wakes up to `most` flows that sleep on the word, and returns how many. `may_switch`: the caller holds no
  /// lock, so another flow may continue at once.
  virtual long wake(const void* word, int most, bool may_switch) noexcept = 0;
  /// The sleeping flow with the lowest number above this one, or null. `number` becomes its number.
  virtual Flow* sleeper_above(std::size_t& number) noexcept = 0;
  /// Lets another flow continue: the caller waits for others without sleeping.
  virtual void yield(const void* place) noexcept = 0;
  virtual TimePoint now() noexcept = 0;
  virtual std::uint64_t random() noexcept = 0;
  /// Whether the library gets the block of memory that it is about to take.
  virtual bool has_memory() noexcept { return true; }

  /// Takes a line that would go to stderr otherwise.
  virtual void say(std::string_view text) noexcept = 0;
  /// Ends what the engine runs: it cannot go on.
  [[noreturn]] virtual void fail(const std::string& what) = 0;
  virtual void name_flow(std::string_view name) noexcept = 0;
  virtual int number_of_flow() const noexcept = 0;
  struct Stack {
    const std::byte* low;
    std::size_t bytes;
  };
  virtual Stack stack_of_flow() const noexcept = 0;

#if defined(TG_SIMULATION)
  virtual void point(tg::detail::Access access, const void* word, const void* place) noexcept = 0;
  /// The next access of the calling flow takes a lock.
  virtual void approach_lock() noexcept = 0;
  /// The calling flow has ended the life of a word.
  virtual void destroy(const void* word) noexcept = 0;
  /// The calling flow has taken (1) or released (-1) a lock.
  virtual void count_lock(int change) noexcept = 0;
  /// Fails the schedule if the calling flow holds a lock.
  virtual void expect_no_lock(const char* what) noexcept = 0;
  /// Registers a function that resets a part of the library to its state at the start of the program.
  static void at_restart(void (*forget)());
  static void restart() noexcept;
#endif

  /// What the process has once, and each engine once for itself, so that flows of two engines do not see each
  /// other.
  enum class Part : std::uint8_t { threads, forest, waits, time_limits, parking, calls, blocked_signals };
  static constexpr std::size_t kParts = 7;
  struct PartFunctions {
    void* (*make)();
    void (*forget)(void* part) noexcept;  // resets it to its first state
  };
  /// Called while the library is loaded.
  static void register_part(Part part, PartFunctions functions) noexcept;
  /// The flow of the thread on which the engine runs its own.
  Flow& home() const noexcept { return *home_; }
  void* part(Part part) const noexcept { return parts_[static_cast<std::size_t>(part)]; }

 protected:
  ~Engine() = default;
  void set_home(Flow& flow) noexcept { home_ = &flow; }
  /// Throws `std::bad_alloc`.
  void make_parts();
  void forget_parts() noexcept;

  // A build for explorations has one thread. If there is another one, it fails at its first point.
#if defined(TG_SIMULATION)
  static constinit Engine* running_;
#else
  static constinit thread_local Engine* running_;
#endif

 private:
  Flow* home_ = nullptr;
  std::array<void*, kParts> parts_{};
};

/// Throws `std::logic_error` if the caller runs in an engine, whose flows must not block in the system. `what`
/// names the call: "tg::JsonResource jobs.json".
TG_EXPORT void refuse_real_io(const std::string& what);

/// The caller uses a group or a flow that is of another engine, or of none. Fails what the caller's engine runs;
/// without one, ends the process with a message.
[[noreturn]] TG_EXPORT void refuse_mixture();

/// The part of the caller's engine; without an engine, and in a build for explorations, that of the process.
template <class T>
T& part_of_caller(T& of_process, Engine::Part part) noexcept {
  if constexpr (!kIsExplored) {
    if (const Engine* const engine = Engine::of_caller()) [[unlikely]]
      return *static_cast<T*>(engine->part(part));
  }
  return of_process;
}

}  // namespace tg::inline v0::runtime
