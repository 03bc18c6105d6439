// SPDX-License-Identifier: Apache-2.0
// The simulated system: flows as contexts, sleeping and waking, and the clock.
#include "sim/scheduler.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include "runtime/flow.hpp"

namespace tg::inline v0::sim {

namespace {
// An hour after zero, so that a deadline in the past is a valid time.
constexpr TimePoint kBegin = TimePoint::from_nanos(3'600'000'000'000);
}  // namespace

Scheduler::Scheduler(std::function<void(const std::string&)> fail, const Rules& rules)
    : fail_(std::move(fail)), rules_(rules), trace_(rules.kept_steps) {
  move_to_caller();
}

void Scheduler::move_to_caller() noexcept {
  home_.emplace();  // it remembers its thread
}

// --- A schedule ---

void Scheduler::run(const Plan& plan, const std::function<void()>& body) {
  begin_schedule();
  running_ = this;
  trace_.clear();
  chooser_.emplace(plan, guide_);
  steps_ = 0;
  used_ = 0;
  living_ = 0;
  ended_.clear();
  able_.clear();
  sleepers_.clear();
  now_ = kBegin;
  body_has_ended_ = false;
  body_ = &body;
  Line& first = make_first_line();
  first.main = [](void* raw) -> void* {
    auto* const self = static_cast<Scheduler*>(raw);
    self->enter_first_flow();
    (*self->body_)();
    self->body_has_ended_ = true;
    self->chooser_->flows_changed();
    return nullptr;
  };
  first.argument = this;
  current_ = &first;
  home_->switch_to(*first.context);
  leave_schedule();
}

void Scheduler::leave_schedule() noexcept {
  end_schedule();
  running_ = nullptr;
}

// Not `end_in`: threads outside may still look at what is on the stack, which a sanitizer would take away.
void Scheduler::abandon() noexcept {
  current_->context->switch_to(*home_);
  std::abort();  // no flow switches back
}

void Scheduler::line_main(void* raw) noexcept {
  Line& line = *static_cast<Line*>(raw);
  Scheduler& self = *line.scheduler;
  line.main(line.argument);
  runtime::Flow::end_in_engine();
  self.trace_.add(step_of(Step::Kind::end, line.number));
  self.become_unable(line);
  line.state = State::ended;
  if (--self.living_ == 0) line.context->end_in(*self.home_);
  if (self.rules_.reuses_numbers && line.number != 1) self.ended_.push_back(&line);
  Line& next = self.choose();
  self.current_ = &next;
  line.context->end_in(*next.context);
}

Scheduler::Line& Scheduler::make_line(const char* name) {
  const bool again = !ended_.empty();
  if (!again && used_ == lines_.size()) lines_.push_back(std::make_unique<Line>(used_ + 1, *this));
  Line& line = again ? *ended_.back() : *lines_[used_++];
  if (again) ended_.pop_back();
  ++living_;
  chooser_->begins(line.number);
  line.name = name;
  line.flow = nullptr;
  line.context.emplace(line.stack, &Scheduler::line_main, &line);
  become_able(line);
  return line;
}

Scheduler::Line& Scheduler::make_first_line() {
  try {
    return make_line("body");
  } catch (...) {
    leave_schedule();
    throw;
  }
}

void Scheduler::become_able(Line& line) {
  chooser_->flows_changed();
  line.state = State::able;
  able_.insert(std::lower_bound(able_.begin(), able_.end(), line.number), line.number);
}

void Scheduler::become_unable(Line& line) {
  chooser_->flows_changed();
  able_.erase(std::lower_bound(able_.begin(), able_.end(), line.number));
}

// --- Points ---

void Scheduler::yield(const void* place) noexcept {
  check_thread();
  count_point(step_of(Step::Kind::yield, current_->number, nullptr, place));
  chooser_->yields(current_->number);
  reschedule();
}

void Scheduler::count_point(const Step& step) {
  trace_.add(step);
  if (counter_ != nullptr) *counter_ = *counter_ + 1;
  if (++steps_ > rules_.most_steps)
    fail("the schedule does not end: " + std::to_string(rules_.most_steps) + " steps");
}

Scheduler::Line& Scheduler::choose() {
  if (chooser_->stays(current_->number)) return *current_;
  for (;;) {
    const bool has_deadlines = sleepers_.has_deadlines();
    if (able_.empty()) {
      if (!has_deadlines) fail("deadlock: all flows sleep, and nothing will wake one");
      let_time_pass();
      continue;
    }
    if (rules_.clock_waits && able_.size() == 1) return *lines_[able_.front() - 1];
    const bool current_is_able = current_->state == State::able;
    // Once the body has ended, the remaining flows run in the simplest order.
    if (body_has_ended_) return current_is_able ? *current_ : *lines_[able_.front() - 1];
    const bool timer = has_deadlines && !rules_.clock_waits;
    if (Line* const line = find_restless()) return *line;
    if (able_.size() == 1 && !timer) return *lines_[able_.front() - 1];
    if (timer) able_.insert(able_.begin(), Chooser::kClock);
    const Line& last = runner();
    const std::size_t next = chooser_->next(able_, last.state == State::able ? last.number : Chooser::kClock);
    if (timer) able_.erase(able_.begin());
    if (next != Chooser::kClock) return *lines_[next - 1];
    let_time_pass();
  }
}

void Scheduler::reschedule() {
  Line& next = choose();
  if (&next == current_) return;
  Line& last = *std::exchange(current_, &next);
  last.context->switch_to(*next.context);
}

// --- Sleeping ---

void Scheduler::sleep(const void* word, TimePoint deadline, const void* second) noexcept {
  check_thread();
  Line& me = *current_;
  if (guide_ != nullptr && !deadline.is_never()) guide_->reads_clock(me.number);
  count_point(step_of(Step::Kind::sleep, me.number, word, __builtin_return_address(0)));
  if (second != nullptr)
    trace_.add(step_of(Step::Kind::sleep, me.number, second, __builtin_return_address(0)));
  if (chooser_->wakes_for_no_reason() && !body_has_ended_) return;
  if (deadline <= now_) return;
  me.state = State::asleep;
  me.word = word;
  me.second = second;
  me.deadline = deadline;
  me.frame = __builtin_frame_address(0);
  me.flow = runtime::Flow::current_if_any();
  become_unable(me);
  sleepers_.add(me);
  reschedule();
}

void Scheduler::wake_up(Sleeper& sleeper) {
  sleepers_.remove(sleeper);
  become_able(static_cast<Line&>(sleeper));
}

long Scheduler::wake(const void* word, int most, bool may_switch) noexcept {
  check_thread();
  const long woken = wake_now(word, most, __builtin_return_address(0));
  switch_if(may_switch);
  return woken;
}

long Scheduler::wake_now(const void* word, int most, const void* place) noexcept {
  to_wake_.clear();
  sleepers_.collect(word, to_wake_);
  long woken = 0;
  while (woken < most && !to_wake_.empty()) {
    const auto which = to_wake_.begin() + static_cast<std::ptrdiff_t>(chooser_->sleeper(to_wake_.size()));
    if (guide_ != nullptr) guide_->wakes((*which)->number);
    wakes(static_cast<const Line&>(**which));
    wake_up(**which);
    to_wake_.erase(which);
    ++woken;
  }
  trace_.add(step_of(Step::Kind::wake, current_->number, word, place, woken));
  return woken;
}

runtime::Flow* Scheduler::sleeper_above(std::size_t& number) noexcept {
  while (number < used_) {
    const Line& line = *lines_[number++];
    if (line.state == State::asleep && line.flow != nullptr) return line.flow;
  }
  return nullptr;
}

// In a build for explorations, the caller comes to a point soon enough.
void Scheduler::switch_if(bool may_switch) noexcept {
  if (may_switch && rules_.switches_at_wake) reschedule();
}

void Scheduler::let_time_pass() {
  now_ = std::max(now_, sleepers_.earliest().deadline);
  trace_.add(step_of(Step::Kind::jump, 0, nullptr, nullptr, (now_ - kBegin).nanos()));
  do {
    Sleeper& earliest = sleepers_.earliest();
    trace_.add(step_of(Step::Kind::time_out, earliest.number, earliest.word));
    wake_up(earliest);
    // In an exploration each one wakes by itself: others may run before the next one has woken.
  } while (rules_.clock_waits && sleepers_.has_deadlines() && sleepers_.earliest().deadline <= now_);
}

// --- Flows ---

int Scheduler::start(void* (*main)(void*), void* argument) noexcept { return start_line(main, argument, ""); }

int Scheduler::start_line(void* (*main)(void*), void* argument, const char* name) noexcept {
  check_thread();
  if (living_ == rules_.most_flows) fail("more than " + std::to_string(rules_.most_flows) + " flows");
  Line* made = nullptr;
  try {
    made = &make_line(name);
  } catch (const std::bad_alloc&) {
    fail("the system has no memory for a flow beside " + std::to_string(living_) + " others");
  }
  Line& line = *made;
  line.main = main;
  line.argument = argument;
  begins(line);
  trace_.add(step_of(Step::Kind::start, current_->number, nullptr, __builtin_return_address(0),
                     static_cast<std::int64_t>(line.number)));
  switch_if(true);
  return 0;
}

void Scheduler::name_flow(std::string_view name) noexcept { current_->name = name; }
int Scheduler::number_of_flow() const noexcept { return static_cast<int>(current_->number); }
runtime::Engine::Stack Scheduler::stack_of_flow() const noexcept {
  return {current_->stack.low(), current_->stack.bytes()};
}

// --- Looking ---

void Scheduler::say(std::string_view text) noexcept {
  trace_.say(static_cast<std::uint32_t>(current_->number), text);
}

void Scheduler::fail(const std::string& what) {
  fail_(what);
  std::abort();
}

std::vector<std::string> Scheduler::names() const {
  std::vector<std::string> names(1);
  for (std::size_t i = 0; i < used_; ++i) names.push_back(lines_[i]->name);
  return names;
}

std::vector<Scheduler::LivingFlow> Scheduler::living_flows() const {
  std::vector<LivingFlow> all;
  for (std::size_t i = 0; i < used_; ++i) {
    const Line& line = *lines_[i];
    if (line.state != State::ended)
      all.push_back({line.number, line.name, line.flow, line.state == State::able});
  }
  return all;
}

Duration Scheduler::time_passed() const noexcept { return now_ - kBegin; }

}  // namespace tg::inline v0::sim
