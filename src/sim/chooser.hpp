// SPDX-License-Identifier: Apache-2.0
// Which flow continues at each point, chosen by a seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::sim {

class Guide;

/// What decides a schedule, as one word: "pct-3-250-17", "walk-17", "path" or "path-7-1-12-2".
struct Plan {
  enum class Kind : std::uint8_t {
    path,  ///< each flow runs for as long as it can, the lowest number first; with some deviations
    pct,   ///< random priorities that change at a few random points
    walk,  ///< each point chooses any flow that can run
  };
  /// At this choice, counted from 0, the option with this number is taken instead of the simplest one.
  struct Deviation {
    std::uint32_t choice;
    std::uint32_t option;
  };
  using Path = std::vector<Deviation>;

  Kind kind = Kind::path;
  Path path;
  static constexpr unsigned kMostDepth = 10'000;
  unsigned depth = 0;      ///< of pct: how many orders of accesses a mistake may need to be found
  std::size_t length = 0;  ///< of pct: about how many choices a schedule has
  std::uint64_t seed = 0;

  std::string word() const;
  static std::optional<Plan> from_word(std::string_view word);
  /// The plan of the schedule with this number: pct with depths 2, 3 and 4 in turn; each fourth one is a
  /// walk.
  static Plan of_schedule(std::uint64_t number, std::size_t length) noexcept;
};

/// A generator of random numbers: S. Vigna's splitmix64, the same on all platforms.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept;
  /// Below `end`, which is above zero.
  std::size_t below(std::size_t end) noexcept { return static_cast<std::size_t>(next() % end); }
  bool one_in(std::size_t n) noexcept { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

/// Follows one plan through one schedule.
///
/// Pct is S. Burckhardt and others, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs"
/// (2010): each flow has a random priority, and the flow with the highest one runs until it sleeps; at
/// `depth - 1` random points the running flow falls below all others. For a mistake that needs `depth` orders
/// of accesses, n flows and k points, a schedule finds it with a probability of at least
/// 1 / (n * k^(depth - 1)).
///
/// The clock is one of the competitors: if it is chosen, time jumps to the earliest deadline although flows
/// can run. In most schedules it is the last; in one of four it takes part like any flow, and time-outs come
/// at any moment. In one of eight, flows wake from sleep for no reason, as futexes permit.
class Chooser {
 public:
  static constexpr std::size_t kClock = 0;  // flows have numbers from 1 on

  /// With a guide, the plan is an empty path, and becomes the one that the guide takes.
  explicit Chooser(const Plan& plan, Guide* guide = nullptr);

  const Plan& plan() const noexcept { return plan_; }

  bool follows_path() const noexcept { return plan_.kind == Plan::Kind::path; }
  /// Which of these continues; `current` is the running flow if it can run, else none of them.
  std::size_t next(std::span<const std::size_t> able, std::size_t current) noexcept;
  /// From now on, `next` may have other flows to choose from than the last time.
  void flows_changed() noexcept { best_of_pct_ = kClock; }
  /// Of pct: whether `next` would choose this flow again. If so, this counts as the choice, and takes less time.
  bool stays(std::size_t flow) noexcept {
    if (flow != best_of_pct_ || choices_ + 1 >= next_change_) return false;
    ++choices_;
    return true;
  }
  /// The running flow waits for others without sleeping.
  void yields(std::size_t flow) noexcept;
  /// A flow begins, perhaps with the number of one that has ended.
  void begins(std::size_t flow);
  /// From now on the clock does not compete.
  void hold_clock() noexcept;
  /// Which of `count` sleepers is woken.
  std::size_t sleeper(std::size_t count) noexcept;
  /// Which of the `count` stores that a load may read, where memory is weak: how far from the newest.
  std::size_t older_store(std::size_t count) noexcept;
  /// Of a path: how many options each choice had.
  std::span<const std::uint32_t> options() const noexcept { return options_; }
  /// How often it chose.
  std::size_t choices() const noexcept { return choices_; }
  /// A random number for the program: part of the schedule.
  std::uint64_t random() noexcept { return of_program_.next(); }
  bool wakes_for_no_reason() noexcept { return wakes_for_no_reason_ && random_.one_in(16); }

 private:
  std::int64_t born() noexcept;  // the priority of a new flow
  std::int64_t& priority_of(std::size_t flow) {
    if (flow >= priorities_.size()) [[unlikely]]
      make_priorities(flow);
    return priorities_[flow];
  }
  void make_priorities(std::size_t flow);

  Plan plan_;
  Guide* const guide_;  // or null
  Random random_;
  std::size_t choices_ = 0;
  bool clock_competes_ = false;
  bool wakes_for_no_reason_ = false;
  // For loads, of its own: a seed makes the same other choices whether memory is weak or not.
  Random loads_;
  Random of_program_;
  std::size_t old_loads_left_;
  // Of a path.
  std::size_t take_option(std::size_t count) noexcept;
  std::size_t note_option(std::size_t option) noexcept;
  std::size_t next_of_path(std::span<const std::size_t> flows, std::size_t current, bool with_clock) noexcept;
  std::vector<std::uint32_t> options_;
  std::vector<std::size_t> order_;  // of the options, at this choice
  std::size_t deviations_ = 0;      // so far
  bool yields_ = false;             // the running flow, at this choice
  // Of pct.
  std::vector<std::int64_t> priorities_;  // of the flows by their numbers
  std::vector<std::size_t> changes_;      // the choices at which priorities change, in order
  std::size_t changed_ = 0;
  std::size_t next_change_ = 0;       // the choice at which the next one is due
  std::size_t best_of_pct_ = kClock;  // the flow that was chosen, while nothing has changed
  std::int64_t lowest_ = 0;
};

}  // namespace tg::inline v0::sim
