// SPDX-License-Identifier: Apache-2.0
// Which flow continues, sleep sets, and the tree of schedules.
#include "sim/dpor.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <threadgroup/detail/atomic.hpp>

namespace tg::inline v0::sim {

namespace {
constexpr std::size_t kClock = 0;
}  // namespace

Dpor::Dpor(const Trace& trace, std::size_t most) : trace_(trace), most_(most) {
  queues_.resize(1);
  queues_[0].emplace_back();  // the first one, without a parent
  waiting_ = 1;
}

// --- One schedule ---

bool Dpor::begin() {
  if (schedules_ == most_ || waiting_ == 0) return false;
  // The newest of the cheapest.
  auto& queue = *std::find_if(queues_.begin(), queues_.end(), [](const auto& one) { return !one.empty(); });
  branch_ = queue.back();
  queue.pop_back();
  --waiting_;
  path_.clear();
  if (schedules_ > 0) {
    path_.resize(branch_.choice + std::size_t{1});
    path_[branch_.choice] = branch_.option;
    std::size_t end = branch_.choice;
    for (auto run = static_cast<std::int32_t>(branch_.parent); run >= 0;) {
      const Run& one = runs_[static_cast<std::size_t>(run)];
      const std::size_t first = one.parent < 0 ? 0 : one.choice + std::size_t{1};
      for (std::size_t i = first; i < end; ++i) path_[i] = nodes_[one.first_node + i - first].option;
      if (one.parent < 0) break;
      if (one.choice < end) path_[one.choice] = static_cast<std::uint8_t>(one.option);
      end = std::min<std::size_t>(end, one.choice);
      run = one.parent;
    }
  }
  choices_.clear();
  orders_.clear();
  marks_.clear();
  pending_.fill({});
  asleep_ = 0;
  seen_steps_ = seen_marks_ = 0;
  end_ = std::numeric_limits<std::uint32_t>::max();
  is_needless_ = false;
  next_takes_lock_ = clock_is_held_ = looks_into_locks_ = false;
  return true;
}

// With too many flows, the search ends after this schedule.
bool Dpor::knows(std::size_t flow) noexcept {
  if (flow >= kMostFlowsInSet) has_given_up_ = true;
  return !has_given_up_;
}

// A lock that another flow holds: the flow cannot go on.
bool Dpor::is_blocked(std::size_t flow) const noexcept {
  if (looks_into_locks_ || flow == kClock || !pending_[flow].takes_lock) return false;
  return static_cast<const detail::Atomic<std::uint32_t>*>(pending_[flow].word)->value_as_it_is() != 0;
}

// Whether the flow, which sleeps, must not sleep after this step of another one.
bool Dpor::wakes_up(const Step& step, std::size_t flow) const noexcept {
  if (step.kind == Step::Kind::jump) return true;
  if (flow == kClock) return step.kind == Step::Kind::wake && step.count > 0;
  const Pending& pending = pending_[flow];
  if (!pending.is_access || pending.word != step.word) return false;
  const bool is_look = pending.kind == Step::Kind::load;  // after which it may fall asleep
  switch (step.kind) {
    case Step::Kind::load:
    case Step::Kind::store:
    case Step::Kind::change:
      return pending.kind != Step::Kind::wake && (!is_look || writes(step));
    case Step::Kind::sleep:
      return pending.kind == Step::Kind::wake;
    case Step::Kind::wake:
      return pending.kind == Step::Kind::wake || is_look;
    default:
      return false;
  }
}

// What happened since the last call may depend on what sleeping flows are about to do.
void Dpor::wake_dependent() noexcept {
  if (choices_.size() < path_.size()) return;
  for (; seen_steps_ < trace_.size() && asleep_ != 0; ++seen_steps_) {
    const Step& step = trace_[seen_steps_];
    const bool is_access = step.kind <= Step::Kind::change || step.kind == Step::Kind::wake;
    if (is_access && (asleep_ & set_of(step.flow)) != 0) {
      become_needless(choices_.size());  // it was the only flow that could go on
      break;
    }
    for (std::size_t flow = 0; flow < kMostFlowsInSet; ++flow)
      if ((asleep_ & set_of(flow)) != 0 && wakes_up(step, flow)) asleep_ &= ~set_of(flow);
  }
  for (; seen_marks_ < marks_.size() && asleep_ != 0; ++seen_marks_) {
    const Mark& mark = marks_[seen_marks_];
    if (mark.kind == Mark::Kind::clock) asleep_ &= ~set_of(kClock);
    if (mark.kind != Mark::Kind::destroys) continue;
    for (std::size_t flow = 0; flow < kMostFlowsInSet; ++flow)
      if (pending_[flow].is_access && pending_[flow].word == mark.word) asleep_ &= ~set_of(flow);
  }
}

// From this choice on, the schedule equals another one. It runs to its end in some order.
void Dpor::become_needless(std::size_t choice) noexcept {
  is_needless_ = true;
  end_ = std::min(end_, choice);
  asleep_ = 0;
}

// The branch was taken: what is new begins here.
void Dpor::leave_path() noexcept {
  if (choices_.size() != path_.size()) return;
  asleep_ = branch_.asleep;
  seen_steps_ = trace_.size();
  seen_marks_ = marks_.size();
}

// Of the choices so far.
std::uint16_t Dpor::cost() const noexcept {
  if (choices_.empty()) return 0;
  const Choice& last = choices_.back();
  const bool deviates = last.is_of_flow ? last.flow != last.simplest : last.option != 0;
  return static_cast<std::uint16_t>(last.cost + (deviates ? 1 : 0));
}

std::size_t Dpor::next(std::span<const std::size_t> flows) noexcept {
  if (!std::all_of(flows.begin(), flows.end(), [this](std::size_t flow) { return knows(flow); })) return 0;
  const std::size_t number = choices_.size();
  Choice choice{};
  choice.is_of_flow = true;
  choice.cost = cost();
  choice.order = orders_.size();
  choice.count = flows.size();
  wake_dependent();
  std::size_t simplest = flows.size();
  std::size_t awake = flows.size();
  for (std::size_t i = 0; i < flows.size(); ++i) {
    orders_.push_back(static_cast<std::uint8_t>(flows[i]));
    if (is_blocked(flows[i])) continue;
    choice.able |= set_of(flows[i]);
    if (simplest == flows.size()) simplest = i;
    if (awake == flows.size() && (asleep_ & set_of(flows[i])) == 0) awake = i;
  }
  if (simplest == flows.size()) simplest = awake = 0;  // none can take its lock: a deadlock
  std::size_t option = awake;
  if (number < path_.size()) {
    option = path_[number];
    if (option >= flows.size()) {
      has_lost_control_ = true;
      option = 0;
    }
  } else if (awake == flows.size()) {
    become_needless(number);
    option = simplest;
  }
  choice.asleep = asleep_;
  choice.option = static_cast<std::uint8_t>(option);
  choice.flow = static_cast<std::uint8_t>(flows[option]);
  choice.simplest = static_cast<std::uint8_t>(flows[simplest]);
  choices_.push_back(choice);
  leave_path();
  if (choice.flow == kClock) mark(Mark::Kind::jump, kClock, static_cast<std::int32_t>(number));
  return option;
}

std::size_t Dpor::sleeper(std::size_t count) noexcept {
  if (has_given_up_) return 0;
  const std::size_t number = choices_.size();
  wake_dependent();
  Choice choice{};
  choice.cost = cost();
  choice.count = count;
  if (number < path_.size()) choice.option = path_[number];
  if (choice.option >= count) {
    has_lost_control_ = true;
    choice.option = 0;
  }
  choice.asleep = asleep_;
  choices_.push_back(choice);
  leave_path();
  return choice.option;
}

// --- What is heard ---

void Dpor::approaches(std::size_t flow, Step::Kind kind, const void* word) noexcept {
  if (!knows(flow)) return;
  pending_[flow] = {true, std::exchange(next_takes_lock_, false), kind, word, choices_.size()};
}

void Dpor::proceeds(std::size_t flow) noexcept {
  if (!knows(flow)) return;
  wake_dependent();  // while it is known what this flow was about to do
  const Pending pending = std::exchange(pending_[flow], {});
  std::int32_t choice = last_choice_for(flow);
  if (choice < static_cast<std::int32_t>(pending.choices)) choice = -1;
  mark(Mark::Kind::access, flow, choice);
  marks_.back().takes_lock = pending.takes_lock && !looks_into_locks_;
}

// The last choice, if it continued this flow.
std::int32_t Dpor::last_choice_for(std::size_t flow) const noexcept {
  for (std::size_t i = choices_.size(); i > 0; --i) {
    const Choice& choice = choices_[i - 1];
    if (choice.is_of_flow) return choice.flow == flow ? static_cast<std::int32_t>(i - 1) : -1;
  }
  return -1;
}

void Dpor::mark(Mark::Kind kind, std::size_t flow, std::int32_t choice) {
  knows(flow);
  Mark& mark = marks_.emplace_back();
  mark.kind = kind;
  mark.flow = static_cast<std::uint8_t>(flow);
  mark.at = static_cast<std::uint32_t>(trace_.size());
  mark.choices = static_cast<std::uint32_t>(choices_.size());
  mark.choice = choice;
}

void Dpor::destroys(std::size_t flow, const void* word) noexcept {
  mark(Mark::Kind::destroys, flow, last_choice_for(flow));
  marks_.back().word = word;
}

void Dpor::reads_clock(std::size_t flow) noexcept { mark(Mark::Kind::clock, flow, last_choice_for(flow)); }

void Dpor::wakes(std::size_t flow) noexcept {
  if (!knows(flow)) return;
  mark(Mark::Kind::wakes, marks_.back().flow, -1);
  marks_.back().other = static_cast<std::uint8_t>(flow);
}

void Dpor::leaves(std::size_t flow, const void* word) noexcept {
  mark(Mark::Kind::leaves, flow, -1);
  marks_.back().word = word;
}

// --- The tree ---

void Dpor::end() {
  if (has_given_up_) {
    ++schedules_;
    waiting_ = 0;
    left_out_ = true;
    return;
  }
  wake_dependent();
  const auto run = static_cast<std::int32_t>(runs_.size());
  const bool is_first = schedules_++ == 0;
  if (is_needless_) ++needless_;
  const std::size_t from = is_first ? 0 : branch_.choice + std::size_t{1};
  end_ = std::min(end_, choices_.size());
  runs_.push_back({is_first ? -1 : static_cast<std::int32_t>(branch_.parent), branch_.choice, branch_.option,
                   nodes_.size()});
  for (std::size_t i = from; i < end_; ++i) {
    const Choice& choice = choices_[i];
    nodes_.push_back({set_of(choice.flow), choice.asleep, choice.option});
  }
  if (nodes_.size() > kMostNodes) {
    // Nothing branches off this schedule where it is new.
    left_out_ = true;
    nodes_.resize(runs_.back().first_node);
    runs_.pop_back();
    return;
  }
  for (std::size_t i = from; i < end_; ++i) {
    const Choice& choice = choices_[i];
    if (choice.is_of_flow) continue;
    for (std::size_t option = 1; option < choice.count; ++option)
      push(i, run, option, choice.asleep, choice.cost + 1U);
  }
  causality_.find_races(trace_, marks_, clock_is_held_, static_cast<std::uint32_t>(is_first ? 0 : from - 1),
                        static_cast<std::uint32_t>(end_), [this](const Causality::Race& race) { add(race); });
}

// The node of a choice, and the schedule in which it was new.
Dpor::Node* Dpor::node_of(std::size_t choice, std::int32_t& run) noexcept {
  for (run = static_cast<std::int32_t>(runs_.size()) - 1;;) {
    const Run& one = runs_[static_cast<std::size_t>(run)];
    if (one.parent < 0) return &nodes_[one.first_node + choice];
    if (choice > one.choice) return &nodes_[one.first_node + choice - one.choice - 1];
    run = one.parent;
  }
}

// There must be a schedule that continues one of the flows that could come first.
void Dpor::add(const Causality::Race& race) {
  std::int32_t run = 0;
  Node* const node = node_of(race.choice, run);
  if (((node->taken | node->asleep) & race.firsts) != 0) return;
  const Choice& choice = choices_[race.choice];
  const FlowSet possible = race.firsts & choice.able;
  if (possible == 0) return;
  std::size_t option = choice.count;
  for (std::size_t i = 0; i < choice.count; ++i) {
    const std::size_t flow = orders_[choice.order + i];
    if ((possible & set_of(flow)) == 0) continue;
    if (option == choice.count || flow == race.preferred) option = i;
  }
  const std::size_t flow = orders_[choice.order + option];
  push(race.choice, run, option, node->asleep | node->taken,
       choice.cost + (flow != choice.simplest ? 1U : 0U));
  node->taken |= set_of(flow);
}

void Dpor::push(std::size_t choice, std::int32_t run, std::size_t option, FlowSet asleep, unsigned cost) {
  if (waiting_ >= kMostWaiting) {
    left_out_ = true;
    return;
  }
  if (queues_.size() <= cost) queues_.resize(cost + std::size_t{1});
  queues_[cost].push_back({static_cast<std::uint32_t>(run), static_cast<std::uint32_t>(choice), asleep,
                           static_cast<std::uint16_t>(cost), static_cast<std::uint8_t>(option)});
  ++waiting_;
}

}  // namespace tg::inline v0::sim
