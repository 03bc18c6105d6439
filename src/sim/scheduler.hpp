// SPDX-License-Identifier: Apache-2.0
// Runs schedules: all flows of the library on one thread, in an order that a strategy chooses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <threadgroup/duration.hpp>

#include "runtime/context.hpp"
#include "runtime/engine.hpp"
#include "sim/chooser.hpp"
#include "sim/guide.hpp"
#include "sim/sleepers.hpp"
#include "sim/trace.hpp"

namespace tg::inline v0::sim {

/// What differs between the build for explorations and the simulations of users.
struct Rules {
  std::size_t most_flows = 16;      // at a time; each has a stack
  std::size_t most_steps = 50'000;  // far more than a body needs
  std::size_t kept_steps = 50'000;  // the last ones
  std::size_t stack_bytes = std::size_t{256} * 1024;
  bool switches_at_wake = false;  // where a flow wakes or starts another one
  bool clock_waits = false;       // time passes only when no flow can run
  bool reuses_numbers = false;    // of flows that have ended
};

/// Runs a body in one schedule after the other. See README.md. `Explorer` and `Simulation` are the two kinds.
///
/// Thread safety: none. A thread runs one scheduler at a time.
class Scheduler : public runtime::Engine {
 public:
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// From now on the guide makes the choices, and plans are empty. Null: the plans make them.
  void follow(Guide* guide) noexcept { guide_ = guide; }
  /// Runs the body on a flow of its own, then the flows that are left to their ends.
  void run(const Plan& plan, const std::function<void()>& body);

  /// Time does not pass while flows can run.
  void hold_clock() noexcept { chooser_->hold_clock(); }
  [[noreturn]] void fail(const std::string& what) override;
  /// Ends the schedule at once: `run` returns. What is on the stacks of the flows is not destroyed, and this
  /// scheduler is not used again.
  [[noreturn]] void abandon() noexcept;

  const Trace& trace() const noexcept { return trace_; }
  Trace& trace() noexcept { return trace_; }
  /// How often there was something to choose, in the last schedule.
  std::size_t choices() const noexcept { return chooser_ ? chooser_->choices() : 0; }
  std::span<const std::uint32_t> options() const noexcept { return chooser_->options(); }
  const Plan& plan() const noexcept { return chooser_->plan(); }
  std::vector<std::string> names() const;
  /// A flow that has begun and not ended.
  struct LivingFlow {
    std::size_t number;
    std::string name;
    const runtime::Flow* flow;  // null if it was never asleep
    bool can_run;
  };
  std::vector<LivingFlow> living_flows() const;
  template <class Visit>
  void for_each_stack(Visit visit) const {
    for (const auto& line : lines_) visit(Stack{line->stack.low(), line->stack.bytes()});
  }
  Duration time_passed() const noexcept;
  /// Counts the points in this word, for a process that watches.
  void count_points_in(volatile std::uint64_t* counter) noexcept { counter_ = counter; }

  void yield(const void* place) noexcept override;
  void sleep(const void* word, TimePoint deadline, const void* second) noexcept override;
  long wake(const void* word, int most, bool may_switch) noexcept override;
  runtime::Flow* sleeper_above(std::size_t& number) noexcept override;
  TimePoint now() noexcept override {
    if (guide_ != nullptr) guide_->reads_clock(current_->number);
    return now_;
  }
  int start(void* (*main)(void*), void* argument) noexcept override;
  std::uint64_t random() noexcept override { return chooser_->random(); }
  void say(std::string_view text) noexcept override;
  void name_flow(std::string_view name) noexcept override;
  int number_of_flow() const noexcept override;
  Stack stack_of_flow() const noexcept override;

 protected:
  /// `fail` is called, on the stack of any flow, when a schedule cannot go on; it does not return.
  explicit Scheduler(std::function<void(const std::string&)> fail, const Rules& rules = {});
  ~Scheduler() { running_ = nullptr; }
  const Rules& rules() const noexcept { return rules_; }
  /// From now on the calling thread runs the schedules. At first it is the one that made the scheduler.
  void move_to_caller() noexcept;

  enum class State : std::uint8_t { able, asleep, ended };
  struct Line : Sleeper {
    Line(std::size_t n, Scheduler& of) : Sleeper(n), scheduler(&of), stack(of.rules_.stack_bytes) {}
    Scheduler* const scheduler;
    runtime::ContextStack stack;
    std::optional<runtime::Context> context;
    std::string name;
    State state = State::ended;
    void* (*main)(void*) = nullptr;
    void* argument = nullptr;
    runtime::Flow* flow = nullptr;  // while it sleeps
    const void* frame = nullptr;    // while it sleeps: the innermost on its stack
  };

  // What differs between the two engines.

  /// Resets the library before a schedule, and afterwards.
  virtual void begin_schedule() noexcept = 0;
  virtual void end_schedule() noexcept {}
  /// In the body's flow, before the body.
  virtual void enter_first_flow() {}
  /// The running flow has made this one.
  virtual void begins(const Line&) {}
  virtual void wakes(const Line&) {}
  /// Fails if the calling thread is not the one that runs the flows.
  virtual void check_thread() noexcept = 0;
  /// A flow that continues without a choice, or null.
  virtual Line* find_restless() noexcept { return nullptr; }
  /// The flow that the simplest schedule continues.
  virtual const Line& runner() const noexcept { return *current_; }

  int start_line(void* (*main)(void*), void* argument, const char* name) noexcept;
  long wake_now(const void* word, int most, const void* place) noexcept;
  static Step step_of(Step::Kind kind, std::size_t flow, const void* word = nullptr,
                      const void* place = nullptr, std::int64_t count = 0) {
    return Step{kind, static_cast<std::uint32_t>(flow), count, word, place, {}};
  }
  void count_point(const Step& step);
  void reschedule();
  const Chooser& chooser() const noexcept { return *chooser_; }
  Chooser& chooser() noexcept { return *chooser_; }
  /// As `now`, for the scheduler itself.
  TimePoint time() const noexcept { return now_; }
  Guide* guide() const noexcept { return guide_; }
  Line& current() const noexcept { return *current_; }
  Line& line(std::size_t number) const noexcept { return *lines_[number - 1]; }
  std::span<const std::size_t> able() const noexcept { return able_; }
  std::size_t used_lines() const noexcept { return used_; }
  bool body_has_ended() const noexcept { return body_has_ended_; }

 private:
  static void line_main(void* line) noexcept;
  Line& make_line(const char* name);
  Line& make_first_line();
  void leave_schedule() noexcept;
  void become_able(Line& line);
  void become_unable(Line& line);
  void switch_if(bool may_switch) noexcept;
  void wake_up(Sleeper& sleeper);
  Line& choose();
  void let_time_pass();

  std::function<void(const std::string&)> fail_;
  const Rules rules_;
  Trace trace_;
  Guide* guide_ = nullptr;  // or null
  std::optional<Chooser> chooser_;
  std::vector<std::unique_ptr<Line>> lines_;  // kept for the next schedule; the first `used_` are of this one
  std::size_t steps_ = 0;
  std::size_t used_ = 0;
  std::size_t living_ = 0;
  std::vector<Line*> ended_;  // of those in use, to be used again
  Sleepers sleepers_;
  std::vector<Sleeper*> to_wake_;
  std::vector<std::size_t> able_;  // in order
  Line* current_ = nullptr;
  std::optional<runtime::Context> home_;
  TimePoint now_;
  bool body_has_ended_ = false;
  const std::function<void()>* body_ = nullptr;
  volatile std::uint64_t* counter_ = nullptr;
};

}  // namespace tg::inline v0::sim
