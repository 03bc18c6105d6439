// SPDX-License-Identifier: Apache-2.0
// The simulated system: flows as contexts, sleeping and waking, and the clock.
#include "sim/scheduler.hpp"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "runtime/flow.hpp"

namespace tg::inline v0::sim {

namespace {
// An hour after zero, so that a deadline in the past is a valid time.
constexpr TimePoint kBegin = TimePoint::from_nanos(3'600'000'000'000);

Step step_of(Step::Kind kind, std::size_t flow, const void* word = nullptr, const void* place = nullptr,
             std::int64_t count = 0) {
  return Step{kind, static_cast<std::uint32_t>(flow), count, word, place, {}};
}

// The return addresses on a stack, from the frames that the library was compiled to keep.
std::vector<const void*> calls_from(const void* frame, const std::byte* low, std::size_t bytes) {
  std::vector<const void*> calls;
  const std::byte* at = static_cast<const std::byte*>(frame);
  while (at >= low && at + 2 * sizeof(void*) <= low + bytes) {
    const auto* const words = reinterpret_cast<const std::byte* const*>(at);
    if (words[1] == nullptr) break;
    calls.push_back(words[1] - 1);  // within the call
    if (words[0] <= at) break;
    at = words[0];
  }
  return calls;
}
}  // namespace

Scheduler::Scheduler(std::function<void(const std::string&)> fail)
    : fail_(std::move(fail)), owner_(::pthread_self()) {
  // Filled beforehand, so that no schedule finds the pool of flows empty.
  std::vector<runtime::Flow*> flows;
  for (std::size_t i = 0; i < kMostFlows; ++i) flows.push_back(&runtime::Flow::reserve());
  for (runtime::Flow* flow : flows) runtime::Flow::give_back(*flow);
}

Scheduler::~Scheduler() { running_ = nullptr; }

// --- A schedule ---

void Scheduler::run(const Plan& plan, const std::function<void()>& body) {
  restart();
  trace_.clear();
  plan_ = plan;
  strategy_.emplace(plan);
  used_ = 0;
  able_.clear();
  now_ = kBegin;
  body_has_ended_ = false;
  running_ = this;
  body_ = &body;
  Line& first = make_line("body");
  first.main = [](void* raw) -> void* {
    auto* const self = static_cast<Scheduler*>(raw);
    (*self->body_)();
    self->body_has_ended_ = true;
    return nullptr;
  };
  first.argument = this;
  current_ = &first;
  home_.switch_to(*first.context);
  if (memory_ != nullptr) memory_->end();
  detail::seen_values = &detail::untraced_values;
  running_ = nullptr;
}

void Scheduler::line_main(void* raw) noexcept {
  Line& line = *static_cast<Line*>(raw);
  auto& self = *static_cast<Scheduler*>(running_);
  line.main(line.argument);
  runtime::Flow::end_simulated();
  self.trace_.add(step_of(Step::Kind::end, line.number));
  self.become_unable(line);
  line.state = State::ended;
  const bool all_have_ended =
      std::all_of(self.lines_.begin(), self.lines_.begin() + static_cast<std::ptrdiff_t>(self.used_),
                  [](const auto& other) { return other->state == State::ended; });
  if (all_have_ended) line.context->end_in(self.home_);
  Line& next = self.choose();
  self.current_ = &next;
  line.context->end_in(*next.context);
}

Scheduler::Line& Scheduler::make_line(const char* name) {
  if (used_ == lines_.size()) lines_.push_back(std::make_unique<Line>(used_ + 1));
  Line& line = *lines_[used_++];
  line.name = name;
  line.context.emplace(line.stack, &Scheduler::line_main, &line);
  become_able(line);
  return line;
}

void Scheduler::become_able(Line& line) {
  line.state = State::able;
  able_.insert(std::lower_bound(able_.begin(), able_.end(), line.number), line.number);
}

void Scheduler::become_unable(Line& line) {
  able_.erase(std::lower_bound(able_.begin(), able_.end(), line.number));
}

// --- Points ---

void Scheduler::point(detail::Access access, const void* word, const void* place) noexcept {
  check_thread();
  static_assert(static_cast<int>(detail::Access::change) == static_cast<int>(Step::Kind::change));
  reschedule();
  // After the switch, so that the trace has the access when it happens.
  count_point(step_of(static_cast<Step::Kind>(access), current_->number, word, place));
  detail::seen_values = &trace_.last().seen;
}

void Scheduler::yield(const void* place) noexcept {
  check_thread();
  count_point(step_of(Step::Kind::yield, current_->number, nullptr, place));
  strategy_->yields(current_->number);
  reschedule();
}

void Scheduler::check_thread() noexcept {
  if (::pthread_equal(owner_, ::pthread_self()) == 0) {
    fail("control of the schedule was lost: a thread that the simulator does not know uses the library");
  }
}

void Scheduler::count_point(const Step& step) {
  trace_.add(step);
  if (counter_ != nullptr) *counter_ = *counter_ + 1;
  if (trace_.size() > kMostPoints)
    fail("the schedule does not end: " + std::to_string(kMostPoints) + " steps");
}

Scheduler::Line& Scheduler::choose() {
  for (;;) {
    const bool timer = std::any_of(
        lines_.begin(), lines_.begin() + static_cast<std::ptrdiff_t>(used_),
        [](const auto& line) { return line->state == State::asleep && !line->deadline.is_never(); });
    if (able_.empty()) {
      if (!timer) fail("deadlock: all flows sleep, and nothing will wake one");
      let_time_pass();
      continue;
    }
    const bool current_is_able = current_->state == State::able;
    // Once the body has ended, the remaining flows run in the simplest order.
    if (body_has_ended_) return current_is_able ? *current_ : *lines_[able_.front() - 1];
    if (able_.size() == 1 && !timer) return *lines_[able_.front() - 1];
    if (timer) able_.insert(able_.begin(), Strategy::kClock);
    const std::size_t next = strategy_->next(able_, current_is_able ? current_->number : Strategy::kClock);
    if (timer) able_.erase(able_.begin());
    if (next != Strategy::kClock) return *lines_[next - 1];
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

void Scheduler::sleep(const void* word, TimePoint deadline) noexcept {
  check_thread();
  Line& me = *current_;
  count_point(step_of(Step::Kind::sleep, me.number, word, __builtin_return_address(0)));
  if (strategy_->wakes_for_no_reason() && !body_has_ended_) return;
  if (deadline <= now_) return;
  me.state = State::asleep;
  me.word = word;
  me.deadline = deadline;
  me.frame = __builtin_frame_address(0);
  become_unable(me);
  reschedule();
}

long Scheduler::wake(const void* word, int most) noexcept {
  check_thread();
  std::vector<Line*> sleepers;
  for (std::size_t i = 0; i < used_; ++i) {
    if (lines_[i]->state == State::asleep && lines_[i]->word == word) sleepers.push_back(lines_[i].get());
  }
  long woken = 0;
  while (woken < most && !sleepers.empty()) {
    const auto which = sleepers.begin() + static_cast<std::ptrdiff_t>(strategy_->sleeper(sleepers.size()));
    become_able(**which);
    sleepers.erase(which);
    ++woken;
  }
  trace_.add(step_of(Step::Kind::wake, current_->number, word, __builtin_return_address(0), woken));
  return woken;
}

void Scheduler::let_time_pass() {
  Line* earliest = nullptr;
  for (std::size_t i = 0; i < used_; ++i) {
    Line& line = *lines_[i];
    if (line.state != State::asleep || line.deadline.is_never()) continue;
    if (earliest == nullptr || line.deadline < earliest->deadline) earliest = &line;
  }
  now_ = std::max(now_, earliest->deadline);
  trace_.add(step_of(Step::Kind::jump, 0, nullptr, nullptr, (now_ - kBegin).nanos()));
  trace_.add(step_of(Step::Kind::time_out, earliest->number, earliest->word));
  become_able(*earliest);
}

// --- Flows ---

bool Scheduler::start(void* (*main)(void*), void* argument) noexcept {
  check_thread();
  if (used_ == kMostFlows) fail("more than " + std::to_string(kMostFlows) + " flows");
  Line& line = make_line("");
  line.main = main;
  line.argument = argument;
  if (WeakMemory* const memory = WeakMemory::running()) memory->start(current_->number, line.number);
  trace_.add(step_of(Step::Kind::start, current_->number, nullptr, __builtin_return_address(0),
                     static_cast<std::int64_t>(line.number)));
  return true;
}

void Scheduler::together(const std::vector<Part>& parts) {
  struct Start {
    const Part* part;
    std::size_t* left;
    Scheduler* self;
  };
  std::size_t left = parts.size();
  std::vector<Start> starts;
  for (const Part& part : parts) starts.push_back({&part, &left, this});
  for (Start& one : starts) {
    start(
        [](void* raw) -> void* {
          const Start& me = *static_cast<Start*>(raw);
          me.part->run();
          if (WeakMemory* const memory = WeakMemory::running()) memory->part_ends();
          if (--*me.left == 0) me.self->wake(me.left, 1);
          return nullptr;
        },
        &one);
    lines_[used_ - 1]->name = one.part->name;
  }
  while (left > 0) sleep(&left, TimePoint::never());
  if (WeakMemory* const memory = WeakMemory::running()) memory->join();
}

WeakMemory& Scheduler::weak_memory() {
  if (memory_ == nullptr) memory_ = std::make_unique<WeakMemory>(*this);
  memory_->begin(current_->number);
  return *memory_;
}

std::size_t Scheduler::choose_store(std::size_t count) noexcept {
  return body_has_ended_ ? 0 : strategy_->older_store(count);
}

void Scheduler::name_flow(std::string_view name) noexcept { current_->name = name; }
int Scheduler::number_of_flow() const noexcept { return static_cast<int>(current_->number); }
runtime::Simulator::Stack Scheduler::stack_of_flow() const noexcept {
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

std::string Scheduler::sleepers() const {
  std::string out;
  for (std::size_t i = 0; i < used_; ++i) {
    const Line& line = *lines_[i];
    if (line.state == State::ended) continue;
    out += "  flow " + std::to_string(line.number) + (line.name.empty() ? "" : " (" + line.name + ")");
    out += line.state == State::able ? " can run" : " sleeps";
    if (line.state == State::asleep && !line.deadline.is_never())
      out += " for " + std::to_string((line.deadline - now_).nanos() / 1000) + " us";
    out += '\n';
    if (line.state == State::asleep) {
      const std::vector<const void*> calls = calls_from(line.frame, line.stack.low(), line.stack.bytes());
      const Places places(calls);
      for (const void* call : calls)
        if (const std::string place = places[call]; !place.empty()) out += "      " + place + "\n";
    }
  }
  return out;
}

}  // namespace tg::inline v0::sim
