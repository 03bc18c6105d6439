// SPDX-License-Identifier: Apache-2.0
// Plans, and the choices that follow from them.
#include "sim/chooser.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "runtime/random.hpp"
#include "sim/guide.hpp"
#include "sim/read_number.hpp"

namespace tg::inline v0::sim {

namespace {
// Priorities that flows are born with are above this, those after a change below.
constexpr std::int64_t kBorn = std::int64_t{1} << 32;
constexpr std::size_t kNoChange = std::numeric_limits<std::size_t>::max();
constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();
// More than a mistake needs; without a limit a loop could read the same old store forever.
constexpr std::size_t kMostOldLoads = 6;

// Reads a number and the '-' before it.
template <class Number>
bool read(std::string_view& rest, Number& number) {
  if (!rest.starts_with('-')) return false;
  rest.remove_prefix(1);
  return read_number(rest, number);
}
}  // namespace

std::string Plan::word() const {
  switch (kind) {
    case Kind::pct:
      return "pct-" + std::to_string(depth) + "-" + std::to_string(length) + "-" + std::to_string(seed);
    case Kind::walk:
      return "walk-" + std::to_string(seed);
    default: {
      std::string word = "path";
      for (const Deviation& one : path)
        word += "-" + std::to_string(one.choice) + "-" + std::to_string(one.option);
      return word;
    }
  }
}

std::optional<Plan> Plan::from_word(std::string_view word) {
  Plan plan;
  if (word.starts_with("path")) {
    word.remove_prefix(4);
    while (!word.empty()) {
      Deviation& one = plan.path.emplace_back();
      if (!read(word, one.choice) || !read(word, one.option)) return std::nullopt;
    }
    return plan;
  }
  if (word.starts_with("pct")) {
    plan.kind = Kind::pct;
    word.remove_prefix(3);
    if (!read(word, plan.depth) || !read(word, plan.length) || plan.depth > kMostDepth) return std::nullopt;
  } else if (word.starts_with("walk")) {
    plan.kind = Kind::walk;
    word.remove_prefix(4);
  } else {
    return std::nullopt;
  }
  if (!read(word, plan.seed) || !word.empty()) return std::nullopt;
  return plan;
}

Plan Plan::of_schedule(std::uint64_t number, std::size_t length) noexcept {
  Plan plan;
  plan.seed = number;
  plan.kind = number % 4 == 3 ? Kind::walk : Kind::pct;
  if (plan.kind == Kind::pct) {
    plan.depth = static_cast<unsigned>(2 + number % 4);
    plan.length = length;
  }
  return plan;
}

std::uint64_t Random::next() noexcept {
  state_ += runtime::kSplitMixStep;
  return runtime::mix_bits(state_);
}

Chooser::Chooser(const Plan& plan, Guide* guide)
    : plan_(plan),
      guide_(guide),
      random_(plan.seed),
      loads_(~plan.seed),
      of_program_(plan.seed ^ 0x5DEECE66Du),
      old_loads_left_(1 + loads_.below(kMostOldLoads)) {
  if (plan.kind == Plan::Kind::path) {
    clock_competes_ = true;
    return;
  }
  clock_competes_ = random_.one_in(4);
  wakes_for_no_reason_ = random_.one_in(8);
  if (plan.kind != Plan::Kind::pct) return;
  for (unsigned i = 1; i < plan.depth; ++i)
    changes_.push_back(1 + random_.below(std::max<std::size_t>(plan.length, 1)));
  std::sort(changes_.begin(), changes_.end());
  next_change_ = changes_.empty() ? kNoChange : changes_.front();
}

std::int64_t Chooser::born() noexcept { return kBorn + static_cast<std::int64_t>(random_.below(kBorn)); }

void Chooser::make_priorities(std::size_t flow) {
  while (priorities_.size() <= flow) {
    const bool competes = priorities_.size() != kClock || clock_competes_;
    priorities_.push_back(competes ? born() : kNone);
  }
}

void Chooser::begins(std::size_t flow) {
  if (plan_.kind == Plan::Kind::pct && flow < priorities_.size()) priorities_[flow] = born();
}

void Chooser::yields(std::size_t flow) noexcept {
  yields_ = true;
  flows_changed();
  if (plan_.kind == Plan::Kind::pct) priority_of(flow) = --lowest_;
}

std::size_t Chooser::sleeper(std::size_t count) noexcept {
  if (count < 2) return 0;
  if (guide_ != nullptr) {
    options_.push_back(static_cast<std::uint32_t>(count));
    return note_option(guide_->sleeper(count));
  }
  return plan_.kind == Plan::Kind::path ? take_option(count) : random_.below(count);
}

std::size_t Chooser::older_store(std::size_t count) noexcept {
  if (plan_.kind == Plan::Kind::path) return take_option(count);
  if (old_loads_left_ == 0 || !loads_.one_in(2)) return 0;
  --old_loads_left_;
  return 1 + loads_.below(count - 1);
}

std::size_t Chooser::take_option(std::size_t count) noexcept {
  const std::size_t choice = options_.size();
  options_.push_back(static_cast<std::uint32_t>(count));
  if (deviations_ == plan_.path.size() || plan_.path[deviations_].choice != choice) return 0;
  return std::min<std::size_t>(plan_.path[deviations_++].option, count - 1);
}

std::size_t Chooser::note_option(std::size_t option) noexcept {
  const std::size_t choice = options_.size() - 1;
  if (option != 0)
    plan_.path.push_back({static_cast<std::uint32_t>(choice), static_cast<std::uint32_t>(option)});
  return option;
}

// The options, the simplest first: the running flow, the other flows, the clock. A running flow that only
// waits for others comes after them, and they begin with the next one, so that each gets its turn if several
// wait in this way.
std::size_t Chooser::next_of_path(std::span<const std::size_t> flows, std::size_t current,
                                  bool with_clock) noexcept {
  const bool yields = std::exchange(yields_, false);
  order_.clear();
  if (current != kClock && !yields) order_.push_back(current);
  for (const std::size_t flow : flows)
    if (flow != current) order_.push_back(flow);
  if (current != kClock && yields) {
    std::rotate(order_.begin(), std::upper_bound(order_.begin(), order_.end(), current), order_.end());
    order_.push_back(current);
  }
  if (with_clock) order_.push_back(kClock);
  if (guide_ == nullptr) return order_[take_option(order_.size())];
  options_.push_back(static_cast<std::uint32_t>(order_.size()));
  return order_[note_option(guide_->next(order_))];
}

void Chooser::hold_clock() noexcept {
  flows_changed();
  clock_competes_ = false;
  if (guide_ != nullptr) guide_->holds_clock();
  if (plan_.kind == Plan::Kind::pct) priority_of(kClock) = kNone;
}

std::size_t Chooser::next(std::span<const std::size_t> able, std::size_t current) noexcept {
  ++choices_;
  switch (plan_.kind) {
    case Plan::Kind::walk: {
      const bool with_clock = able.front() == kClock && able.size() > 1;
      if (with_clock && !(clock_competes_ && random_.one_in(16))) able = able.subspan(1);
      return able.size() == 1 ? able.front() : able[random_.below(able.size())];
    }
    case Plan::Kind::pct: {
      for (; changed_ < changes_.size() && changes_[changed_] <= choices_; ++changed_) {
        if (current != kClock) priority_of(current) = --lowest_;
      }
      next_change_ = changed_ < changes_.size() ? changes_[changed_] : kNoChange;
      std::size_t best = able.front();
      std::int64_t highest = priority_of(best);
      for (const std::size_t flow : able.subspan(1)) {
        if (const std::int64_t priority = priority_of(flow); priority > highest) {
          highest = priority;
          best = flow;
        }
      }
      // Time may jump several times in a row, but not forever.
      if (best == kClock && clock_competes_) priority_of(kClock) = random_.one_in(2) ? born() : --lowest_;
      best_of_pct_ = best;
      return best;
    }
    default: {
      const bool with_clock = able.front() == kClock;
      if (with_clock && able.size() == 1) return kClock;
      return next_of_path(with_clock ? able.subspan(1) : able, current, with_clock && clock_competes_);
    }
  }
}

}  // namespace tg::inline v0::sim
