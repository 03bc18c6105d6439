// SPDX-License-Identifier: Apache-2.0
// Runs schedules: all flows of the library on one thread, in an order that a strategy chooses.
#pragma once

#include <pthread.h>

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
#if defined(TG_SIMULATION)
#include "sim/memory_model.hpp"
#endif
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

/// Runs a body in one schedule after the other. See README.md.
///
/// Thread safety: none. A thread runs one scheduler at a time.
class Scheduler : public runtime::Engine {
 public:
  /// `fail` is called, on the stack of any flow, when a schedule cannot go on; it does not return.
  explicit Scheduler(std::function<void(const std::string&)> fail, const Rules& rules = {});
  virtual ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// From now on the guide makes the choices, and plans are empty. Null: the plans make them.
  void follow(Guide* guide) noexcept { guide_ = guide; }
  /// Runs the body on a flow of its own, then the flows that are left to their ends.
  void run(const Plan& plan, const std::function<void()>& body);
  /// From now on the calling thread runs the schedules. At first it is the one that made the scheduler.
  void move_to_caller() noexcept;

  /// Time does not pass while flows can run.
  void hold_clock() noexcept { chooser_->hold_clock(); }
#if defined(TG_SIMULATION)
  /// Within the body: runs each of these as a flow, and returns when all have ended.
  struct Part {
    const char* name;
    std::function<void()> run;
  };
  void together(const std::vector<Part>& parts);
  /// A guide looks at each step of a lock, instead of taking the lock as a whole.
  void look_into_locks() noexcept {
    if (guide_ != nullptr) guide_->looks_into_locks();
  }
  /// At the start of the body: until the schedule ends, memory is weak.
  WeakMemory& weak_memory();
  std::size_t choose_store(std::size_t count) noexcept {
    return body_has_ended_ ? 0 : chooser_->older_store(count);
  }
#endif
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
  /// The flows that have not ended: which sleep, and where in the code, as the calls on their stacks.
  std::string sleepers() const;
  /// Counts the points in this word, for a process that watches.
  void count_points_in(volatile std::uint64_t* counter) noexcept { counter_ = counter; }

#if defined(TG_SIMULATION)
  void point(detail::Access access, const void* word, const void* place) noexcept override;
  void approach_lock() noexcept override {
    if (guide_ != nullptr) guide_->approaches_lock();
  }
  void destroy(const void* word) noexcept override {
    if (guide_ != nullptr) guide_->destroys(current_->number, word);
  }
  void count_lock(int change) noexcept override { current_->locks += change; }
  void expect_no_lock(const char* what) noexcept override {
    if (current_->locks > 0) fail(what);
  }
#endif
  void yield(const void* place) noexcept override;
  void sleep(const void* word, TimePoint deadline) noexcept override;
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

 private:
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
    int locks = 0;                  // held
    bool at_point = false;          // about to make an access
  };

  void begin_running() noexcept;
  void stop_running() noexcept;
  void enter_first_flow();
  void knows_its_parent(const Line& line);

  static void line_main(void* line) noexcept;
  Line& make_line(const char* name);
  Line& make_first_line();
  void become_able(Line& line);
  void become_unable(Line& line);
  void check_thread() noexcept;
  void count_point(const Step& step);
#if defined(TG_SIMULATION)
  void reschedule_before(Step::Kind kind, const void* word) noexcept;
#endif
  void switch_if(bool may_switch) noexcept;
  void wake_up(Sleeper& sleeper);
  virtual void tell_woken(std::size_t) {}
  long wake_now(const void* word, int most, const void* place) noexcept;
  Line& choose();
#if defined(TG_SIMULATION)
  Line* find_restless() noexcept;
  // The flow that the simplest schedule continues.
  Line& runner() noexcept { return chooser_->follows_path() ? *last_at_point_ : *current_; }
#else
  static Line* find_restless() noexcept { return nullptr; }
  Line& runner() noexcept { return *current_; }
#endif
  void let_time_pass();
  void reschedule();

  std::function<void(const std::string&)> fail_;
  const Rules rules_;
  Trace trace_;
  Guide* guide_ = nullptr;  // or null
  std::optional<Chooser> chooser_;
#if defined(TG_SIMULATION)
  std::unique_ptr<WeakMemory> memory_;  // null until the first schedule that asks for it
#endif
  std::vector<std::unique_ptr<Line>> lines_;  // kept for the next schedule; the first `used_` are of this one
  std::size_t steps_ = 0;
  std::size_t used_ = 0;
  std::size_t living_ = 0;
  std::vector<Line*> ended_;  // of those in use, to be used again
  Sleepers sleepers_;
  std::vector<Sleeper*> to_wake_;
  std::vector<std::size_t> able_;  // in order
  Line* current_ = nullptr;
  Line* last_at_point_ = nullptr;  // the last one that made an access
  std::optional<runtime::Context> home_;
  TimePoint now_;
  bool body_has_ended_ = false;
  const std::function<void()>* body_ = nullptr;
  volatile std::uint64_t* counter_ = nullptr;
  pthread_t owner_;
};

}  // namespace tg::inline v0::sim
