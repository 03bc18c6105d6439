// SPDX-License-Identifier: Apache-2.0
// One schedule of a user's program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/sim.hpp>

#include "sim/chooser.hpp"
#include "sim/scheduler.hpp"

namespace tg::inline v0::sim {

constexpr std::size_t kLeastStack = 16'384;

/// What decides a schedule: the plan, how often something goes wrong, and the room on the stacks.
struct Schedule {
  Plan plan;
  Faults faults;
  std::size_t stack_bytes = Options().stack_bytes;

  /// "pct-3-120-17", or "pct-3-120-17+threads=0.01+delay=0.1x3600000000000+stack=1048576".
  std::string word() const;
  static std::optional<Schedule> from_word(std::string_view word);
};

/// The engine of users' simulations: the scheduler with faults, a budget of real time, and texts for the
/// trace.
///
/// Thread safety: one thread at a time uses it.
/// Lifetime: never destroyed. A simulation whose flows have all ended is used again.
class Simulation final : public Scheduler {
 public:
  /// A simulation that is not in use.
  static Simulation& take(std::size_t stack_bytes);
  static void give_back(Simulation& unused) noexcept;
  /// That of the calling flow, or null.
  static Simulation* of_caller() noexcept { return static_cast<Simulation*>(Engine::of_caller()); }

  struct Outcome {
    std::optional<std::string> failure;
    std::string waits;
    bool was_abandoned = false;  // then this simulation is not used again
    bool is_over_budget = false;
  };
  /// Runs the program until its end, a failure, or this real time. `tells`: the trace has the texts. If it throws,
  /// this simulation has been given back.
  Outcome run_program(const Schedule& schedule, FunctionRef<void()> program, TimePoint give_up_at,
                      bool tells);

  /// How many steps it has made. Any thread may read it.
  const detail::Atomic<std::uint64_t>& progress() const noexcept { return steps_; }

  /// The program fails here.
  [[noreturn]] void fail_here(const std::string& what);
  void refuse_threads(std::size_t count) noexcept { threads_to_refuse_ = count; }
  void fail_allocation_after(std::size_t blocks) noexcept { blocks_until_failure_ = blocks + 1; }

  /// Ignored: the library names a thread after its group, and the trace has the task.
  void name_flow(std::string_view) noexcept override {}
  int start(void* (*main)(void*), void* argument) noexcept override;
  void sleep(const void* word, TimePoint deadline, const void* second) noexcept override;
  long wake(const void* word, int most, bool may_switch) noexcept override;
  void yield(const void* place) noexcept override;
  bool has_memory() noexcept override;

 private:
  explicit Simulation(std::size_t stack_bytes);
  class WritingTrace;
  void run_to_end(FunctionRef<void()> program);
  bool happens(double probability) noexcept;
  void tell(const std::string& text);
  void tell_wait(TimePoint deadline);
  void begin_schedule() noexcept override;
  void enter_first_flow() override;
  void wakes(const Line& line) override;
  void check_thread() noexcept override;
  void count_step();

  Faults faults_;
  Outcome outcome_;
  bool tells_ = false;
  bool writes_trace_ = false;  // right now
  std::size_t threads_to_refuse_ = 0;
  std::size_t blocks_until_failure_ = 0;  // 0: none fails
  // Atomic: the watchdog reads it.
  detail::Atomic<std::uint64_t> steps_{0};
  std::vector<std::string> told_tasks_;       // for each flow, the task that the trace named last
  detail::Atomic<bool> is_abandoned_{false};  // atomic: threads read it that the simulation does not know
  TimePoint give_up_at_;
  Simulation* next_unused_ = nullptr;
};

}  // namespace tg::inline v0::sim
