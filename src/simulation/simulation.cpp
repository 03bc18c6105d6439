// SPDX-License-Identifier: Apache-2.0
// Running a program in one schedule, with its faults.
#include "simulation/simulation.hpp"

#include <cerrno>
#include <chrono>
#include <exception>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/snapshot.hpp>

#include "base/sanitizers.hpp"
#include "event/wait.hpp"
#include "event/wait_note.hpp"
#include "runtime/flow.hpp"
#include "runtime/fork.hpp"
#include "runtime/random.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/threads.hpp"
#include "sim/read_number.hpp"
#include "simulation/picture.hpp"

#if TG_ADDRESS_SANITIZER
#include <sanitizer/lsan_interface.h>
#endif

namespace tg::inline v0::sim {

namespace {
// A program may have thousands of tasks that wait at the same time; a stack that is not used takes no memory.
constexpr std::size_t kMostFlows = 1'000'000;
constexpr std::size_t kKeptSteps = 100'000;
constexpr std::uint64_t kStepsBetweenLooks = 4096;

struct Unused {
  detail::Mutex mutex;
  Simulation* first TG_GUARDED_BY(mutex) = nullptr;
};
constinit Unused unused;

[[gnu::constructor(runtime::at_load::kOtherLibraries)]] void hold_unused() {
  runtime::hold_across_forks([]() -> detail::Mutex& { return unused.mutex; });
}
}  // namespace

// --- The word ---

std::string Schedule::word() const {
  std::string word = plan.word();
  if (faults.refused_threads > 0) word += fmt::format("+threads={}", faults.refused_threads);
  if (faults.failed_allocations > 0) word += fmt::format("+memory={}", faults.failed_allocations);
  if (faults.delayed_flows > 0)
    word += fmt::format("+delay={}x{}", faults.delayed_flows, faults.delay.nanos());
  if (stack_bytes != Options().stack_bytes) word += fmt::format("+stack={}", stack_bytes);
  return word;
}

namespace {
bool read_part(std::string_view text, Schedule& schedule) {
  Faults& faults = schedule.faults;
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = text.substr(0, equals);
  text.remove_prefix(equals + 1);
  if (name == "threads") return read_number(text, faults.refused_threads) && text.empty();
  if (name == "memory") return read_number(text, faults.failed_allocations) && text.empty();
  if (name == "stack")
    return read_number(text, schedule.stack_bytes) && text.empty() && schedule.stack_bytes >= kLeastStack;
  if (name != "delay" || !read_number(text, faults.delayed_flows) || !text.starts_with('x')) return false;
  text.remove_prefix(1);
  std::int64_t nanos = 0;
  if (!read_number(text, nanos)) return false;
  faults.delay = Duration::from_nanos(nanos);
  return text.empty();
}
}  // namespace

std::optional<Schedule> Schedule::from_word(std::string_view word) {
  Schedule schedule;
  std::size_t end = word.find('+');
  const std::optional<Plan> plan = Plan::from_word(word.substr(0, end));
  if (!plan) return std::nullopt;
  schedule.plan = *plan;
  while (end != std::string_view::npos) {
    word.remove_prefix(end + 1);
    end = word.find('+');
    if (!read_part(word.substr(0, end), schedule)) return std::nullopt;
  }
  return schedule;
}

// --- Simulations that are not in use ---

Simulation::Simulation(std::size_t stack_bytes)
    : Scheduler([](const std::string& what) { of_caller()->fail_here(what); }, {.most_flows = kMostFlows,
                                                                                .most_steps = ~std::size_t{0},
                                                                                .kept_steps = kKeptSteps,
                                                                                .stack_bytes = stack_bytes,
                                                                                .switches_at_wake = true,
                                                                                .clock_waits = true,
                                                                                .reuses_numbers = true}) {
  make_parts();
}

Simulation& Simulation::take(std::size_t stack_bytes) {
  {
    detail::MutexLock lock(unused.mutex);
    for (Simulation** at = &unused.first; *at != nullptr; at = &(*at)->next_unused_) {
      if ((*at)->rules().stack_bytes != stack_bytes) continue;
      Simulation& found = **at;
      *at = found.next_unused_;
      found.move_to_caller();
      return found;
    }
  }
  return *new Simulation(stack_bytes);
}

void Simulation::give_back(Simulation& simulation) noexcept {
  detail::MutexLock lock(unused.mutex);
  simulation.next_unused_ = unused.first;
  unused.first = &simulation;
}

// --- One schedule ---

Simulation::Outcome Simulation::run_program(const Schedule& schedule, FunctionRef<void()> program,
                                            TimePoint give_up_at, bool tells) {
  outcome_ = {};
  faults_ = schedule.faults;
  tells_ = tells;
  threads_to_refuse_ = 0;
  blocks_until_failure_ = 0;
  told_tasks_.clear();
  give_up_at_ = give_up_at;
  try {
    run(schedule.plan, [&] { run_to_end(program); });
  } catch (...) {  // without memory for the first stack
    give_back(*this);
    throw;
  }
  return std::move(outcome_);
}

void Simulation::begin_schedule() noexcept {
  set_home(runtime::Flow::current());
  forget_parts();
}

void Simulation::enter_first_flow() { runtime::Flow::become(runtime::Flow::reserve(this)); }

// The flows are on another thread, so this one cannot fail the schedule.
void Simulation::check_thread() noexcept {
  if (of_caller() != this) runtime::refuse_mixture();
}

namespace {
// They go on as in a process that has more to do, but not forever. The clock moves only when nothing else can, so one wait is
// enough for all that end within its time.
void let_abandoned_calls_end() {
  if (ThreadEventsController::instance().snapshot().abandoned().empty()) return;
  const detail::WaitNote note("the end of abandoned calls");
  static_cast<void>(detail::wait({}, runtime::after(std::chrono::years(30))));
}
}  // namespace

void Simulation::run_to_end(FunctionRef<void()> program) {
  Scheduler::name_flow("program");
  try {
    program();
  } catch (...) {
    outcome_.failure = "an exception left the program: " + describe_exception(std::current_exception());
  }
  blocks_until_failure_ = 0;
  faults_ = {};
  tells_ = false;
  let_abandoned_calls_end();
  // Their tasks may never end. The texts are gone before this stack is given up with all that is on it.
  bool are_left = false;
  {
    const std::string left = groups_left();
    are_left = !left.empty();
    if (are_left && !outcome_.failure)
      outcome_.failure = "groups are left at the end of the program: " + left;
  }
  if (are_left) fail_here(*outcome_.failure);
  // What is left are idle threads, and they end now.
  runtime::ThreadCache::instance().set_limits(0, Duration());
}

void Simulation::fail_here(const std::string& what) {
  faults_ = {};
  blocks_until_failure_ = 0;
  outcome_.failure = what;
  outcome_.waits = picture_of_waits(*this);
  outcome_.was_abandoned = true;
  is_abandoned_.store(true, std::memory_order_release);
#if TG_ADDRESS_SANITIZER
  // What is on the stacks is not destroyed.
  for_each_stack([](const Stack& stack) { __lsan_register_root_region(stack.low, stack.bytes); });
#endif
  abandon();
}

// --- What goes wrong ---

bool Simulation::happens(double probability) noexcept {
  if (probability <= 0) return false;
  return runtime::to_chance(random()) < probability;
}

int Simulation::start(void* (*main)(void*), void* argument) noexcept {
  const bool refused = threads_to_refuse_ != 0;
  if (refused) --threads_to_refuse_;
  if (refused || happens(faults_.refused_threads)) {
    if (tells_) tell("gets no thread: the system refuses it");
    return EAGAIN;
  }
  return Scheduler::start(main, argument);
}

void Simulation::sleep(const void* word, TimePoint deadline, const void* second) noexcept {
  if (tells_) tell_wait(deadline);
  count_step();
  Scheduler::sleep(word, deadline, second);
  if (!happens(faults_.delayed_flows)) return;
  const TimePoint until = now() + faults_.delay;
  if (tells_) tell("is delayed for " + to_string(faults_.delay));
  while (now() < until) Scheduler::sleep(&until, until, nullptr);
}

// If the schedule was abandoned, a task or a group from outside may still know its flows.
long Simulation::wake(const void* word, int most, bool may_switch) noexcept {
  if (is_abandoned_.load(std::memory_order_acquire)) return 0;
  return Scheduler::wake(word, most, may_switch);
}

bool Simulation::has_memory() noexcept {
  if (writes_trace_) return true;
  const bool is_requested = blocks_until_failure_ != 0 && --blocks_until_failure_ == 0;
  if (!is_requested && !happens(faults_.failed_allocations)) return true;
  if (tells_) tell("gets no memory");
  return false;
}

void Simulation::yield(const void* place) noexcept {
  count_step();
  Scheduler::yield(place);
}

// Looks at the real clock from time to time.
void Simulation::count_step() {
  const std::uint64_t steps = steps_.load(std::memory_order_relaxed) + 1;
  steps_.store(steps, std::memory_order_relaxed);
  if (steps % kStepsBetweenLooks != 0 || runtime::system_now() < give_up_at_) return;
  outcome_.is_over_budget = true;
  fail_here("the schedule has not ended within the budget of real time; virtual time that has passed: " +
            to_string(time_passed()));
}

// The texts may take memory, for which nothing is counted or chosen: without them the schedule is the same.
class Simulation::WritingTrace {
 public:
  explicit WritingTrace(Simulation& simulation)
      : simulation_(simulation), before_(std::exchange(simulation.writes_trace_, true)) {}
  ~WritingTrace() { simulation_.writes_trace_ = before_; }
  WritingTrace(const WritingTrace&) = delete;
  WritingTrace& operator=(const WritingTrace&) = delete;

 private:
  Simulation& simulation_;
  const bool before_;
};

void Simulation::tell_wait(TimePoint deadline) {
  const WritingTrace writing(*this);
  std::string text = what_caller_waits_for();
  if (!deadline.is_never()) text += ", for " + to_string(deadline - now()) + " at most";
  tell(text);
}

void Simulation::wakes(const Line& line) {
  if (tells_) tell(fmt::format("wakes flow {}", line.number));
}

// After a line that says which task the flow runs, if that is new.
void Simulation::tell(const std::string& text) {
  const WritingTrace writing(*this);
  const auto flow = static_cast<std::size_t>(number_of_flow());
  if (told_tasks_.size() <= flow) told_tasks_.resize(flow + 1);
  const std::string task = what_caller_runs();
  if (std::exchange(told_tasks_[flow], task) != task && !task.empty()) say("in " + task);
  say(text);
}

}  // namespace tg::inline v0::sim
