// SPDX-License-Identifier: Apache-2.0
// Points, locks and weak memory.
#include "sim/explorer.hpp"

#include <utility>

#include "runtime/flow.hpp"
#include "sim/places.hpp"

namespace tg::inline v0::sim {

Explorer::Explorer(std::function<void(const std::string&)> fail)
    : Scheduler(std::move(fail)), owner_(::pthread_self()) {
  // Filled now, so that no schedule finds the pool of flows empty.
  std::vector<runtime::Flow*> flows;
  flows.reserve(rules().most_flows);
  for (std::size_t i = 0; i < rules().most_flows; ++i) flows.push_back(&runtime::Flow::reserve());
  for (runtime::Flow* flow : flows) runtime::Flow::give_back(*flow);
}

void Explorer::begin_schedule() noexcept {
  restart();
  accesses_.assign(2, {});  // of the first flow; numbers begin at 1
  last_at_point_ = 1;
}

void Explorer::end_schedule() noexcept {
  if (memory_ != nullptr) memory_->end();
  detail::seen_values = &detail::untraced_values;
}

void Explorer::begins(const Line& line) {
  if (accesses_.size() <= line.number) accesses_.resize(line.number + 1);  // numbers are not used again
  if (WeakMemory* const memory = WeakMemory::running()) memory->start(current().number, line.number);
}

void Explorer::check_thread() noexcept {
  if (::pthread_equal(owner_, ::pthread_self()) != 0) return;
  fail("control of the schedule was lost: a thread that the simulator does not know uses the library");
}

// --- Points ---

void Explorer::point(detail::Access access, const void* word, const void* place) noexcept {
  check_thread();
  static_assert(static_cast<int>(detail::Access::change) == static_cast<int>(Step::Kind::change));
  const auto kind = static_cast<Step::Kind>(access);
  reschedule_before(kind, word);
  // After the switch, so that the trace has the access when it happens.
  count_point(step_of(kind, current().number, word, place));
  detail::seen_values = &trace().last().seen;
}

long Explorer::wake(const void* word, int most, bool) noexcept {
  check_thread();
  reschedule_before(Step::Kind::wake, word);
  return wake_now(word, most, __builtin_return_address(0));
}

void Explorer::reschedule_before(Step::Kind kind, const void* word) noexcept {
  const std::size_t number = current().number;
  if (guide() != nullptr) guide()->approaches(number, kind, word);
  accesses_[number].at_point = true;
  reschedule();
  accesses_[number].at_point = false;
  last_at_point_ = number;
  if (guide() != nullptr) guide()->proceeds(number);
}

// In a path, a flow that has begun, was woken, or has yielded runs to its next access at once. What it does
// until then concerns no other flow, so nothing has to be chosen.
Scheduler::Line* Explorer::find_restless() noexcept {
  if (!chooser().follows_path()) return nullptr;
  for (const std::size_t number : able())
    if (!accesses_[number].at_point) return &line(number);
  return nullptr;
}

const Scheduler::Line& Explorer::runner() const noexcept {
  return chooser().follows_path() ? line(last_at_point_) : current();
}

// --- Within a body ---

void Explorer::together(const std::vector<Part>& parts) {
  struct Start {
    const Part* part;
    std::size_t* left;
    Explorer* self;
  };
  std::size_t left = parts.size();
  std::vector<Start> starts;
  starts.reserve(parts.size());
  for (const Part& part : parts) starts.push_back({&part, &left, this});
  for (Start& one : starts) {
    start_line(
        [](void* raw) -> void* {
          const Start& me = *static_cast<Start*>(raw);
          me.part->run();
          if (WeakMemory* const memory = WeakMemory::running()) memory->part_ends();
          Explorer& self = *me.self;
          if (self.guide() != nullptr) self.guide()->leaves(self.current().number, me.left);
          if (--*me.left == 0) self.wake_now(me.left, 1, nullptr);
          return nullptr;
        },
        &one, one.part->name);
  }
  while (left > 0) sleep(&left, TimePoint::never(), nullptr);
  if (WeakMemory* const memory = WeakMemory::running()) memory->join();
}

WeakMemory& Explorer::weak_memory() {
  if (memory_ == nullptr) memory_ = std::make_unique<WeakMemory>(*this);
  memory_->begin(current().number);
  return *memory_;
}

// --- Looking ---

std::string Explorer::sleepers() const {
  std::string out;
  for (std::size_t number = 1; number <= used_lines(); ++number) {
    const Line& one = line(number);
    if (one.state == State::ended) continue;
    out += "  flow " + std::to_string(number) + (one.name.empty() ? "" : " (" + one.name + ")");
    out += one.state == State::able ? " can run" : " sleeps";
    if (one.state == State::asleep && !one.deadline.is_never())
      out += " for " + std::to_string((one.deadline - time()).nanos() / 1000) + " us";
    out += '\n';
    if (one.state != State::asleep) continue;
    const std::vector<const void*> calls = calls_from(one.frame, one.stack.low(), one.stack.bytes());
    const Places places(calls);
    for (const void* call : calls)
      if (const std::string place = places[call]; !place.empty()) out += "      " + place + "\n";
  }
  return out;
}

}  // namespace tg::inline v0::sim
