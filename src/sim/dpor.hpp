// SPDX-License-Identifier: Apache-2.0
// All schedules that differ in more than the order of independent steps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/causality.hpp"
#include "sim/guide.hpp"
#include "sim/trace.hpp"

namespace tg::inline v0::sim {

/// Enumerates schedules with dynamic partial-order reduction: C. Flanagan and P. Godefroid (2005), with the
/// source sets of P. Abdulla and others, "Optimal Dynamic Partial Order Reduction" (2014), and the sleep sets
/// of P. Godefroid (1996). README.md explains it.
///
///     scheduler.follow(&search);
///     while (search.begin()) { scheduler.run({}, body); search.end(); }
///     scheduler.follow(nullptr);
class Dpor final : public Guide {
 public:
  /// At most `most` schedules. The trace is the scheduler's.
  Dpor(const Trace& trace, std::size_t most);
  Dpor(const Dpor&) = delete;
  Dpor& operator=(const Dpor&) = delete;

  /// A schedule is about to run. False if there is none left.
  bool begin();
  /// It has run.
  void end();

  std::size_t schedules() const noexcept { return schedules_; }
  /// Those of the schedules that turned out to equal another one.
  std::size_t needless() const noexcept { return needless_; }
  /// Each schedule is equivalent to one that was run.
  bool is_complete() const noexcept { return !left_out_ && waiting_ == 0; }
  /// How often the last schedule was made to leave the simplest order.
  std::size_t deviations() const noexcept { return branch_.cost; }

  /// A path did not have the same choices as before: the body depends on more than its schedule.
  bool has_lost_control() const noexcept { return has_lost_control_; }

  std::size_t next(std::span<const std::size_t> flows) noexcept override;
  std::size_t sleeper(std::size_t count) noexcept override;
  void approaches(std::size_t flow, Step::Kind kind, const void* word) noexcept override;
  void proceeds(std::size_t flow) noexcept override;
  void approaches_lock() noexcept override { next_takes_lock_ = true; }
  void destroys(std::size_t flow, const void* word) noexcept override;
  void reads_clock(std::size_t flow) noexcept override;
  void wakes(std::size_t flow) noexcept override;
  void leaves(std::size_t flow, const void* word) noexcept override;
  void holds_clock() noexcept override { clock_is_held_ = true; }
  void looks_into_locks() noexcept override { looks_into_locks_ = true; }

 private:
  // A choice that was made, as the later schedules through it need it.
  struct Node {
    FlowSet taken;   // the flows that some schedule continues here
    FlowSet asleep;  // those that need not be continued here
    std::uint8_t option;
  };
  // A schedule is another one up to a choice, takes this option there, and is made up from then on.
  struct Run {
    std::int32_t parent;
    std::uint32_t choice;
    std::uint32_t option;
    std::size_t first_node;  // that of the choice after it
  };
  struct Branch {
    std::uint32_t parent = 0;
    std::uint32_t choice = 0;
    FlowSet asleep = 0;
    std::uint16_t cost = 0;
    std::uint8_t option = 0;
  };
  // A choice of the running schedule.
  struct Choice {
    bool is_of_flow;
    std::uint8_t option;
    std::uint8_t flow;      // that continues
    std::uint8_t simplest;  // flow, of those that could
    FlowSet able;
    FlowSet asleep;
    std::uint16_t cost;  // of the choices before
    std::size_t order;   // in `orders_`
    std::size_t count;   // of options
  };
  // What a flow will do next.
  struct Pending {
    bool is_access = false;
    bool takes_lock = false;
    Step::Kind kind = Step::Kind::load;
    const void* word = nullptr;
    std::size_t choices = 0;  // so many had been made when it came there
  };
  static constexpr std::size_t kMostNodes = std::size_t{1} << 22;
  static constexpr std::size_t kMostWaiting = std::size_t{1} << 21;

  std::uint16_t cost() const noexcept;
  bool is_blocked(std::size_t flow) const noexcept;
  void wake_dependent() noexcept;
  bool knows(std::size_t flow) noexcept;
  void become_needless(std::size_t choice) noexcept;
  void leave_path() noexcept;
  bool wakes_up(const Step& step, std::size_t flow) const noexcept;
  std::int32_t last_choice_for(std::size_t flow) const noexcept;
  void mark(Mark::Kind kind, std::size_t flow, std::int32_t choice);
  Node* node_of(std::size_t choice, std::int32_t& run) noexcept;
  void add(const Causality::Race& race);
  void push(std::size_t choice, std::int32_t run, std::size_t option, FlowSet asleep, unsigned cost);

  const Trace& trace_;
  const std::size_t most_;
  std::size_t schedules_ = 0;
  std::size_t needless_ = 0;
  bool has_lost_control_ = false;
  bool left_out_ = false;      // a schedule, because there are too many
  bool has_given_up_ = false;  // there are more flows than fit into a set

  // The tree of all schedules, and those to come, by their costs.
  std::vector<Run> runs_;
  std::vector<Node> nodes_;
  std::vector<std::vector<Branch>> queues_;
  std::size_t waiting_ = 0;

  // The running schedule.
  Branch branch_;
  std::vector<std::uint8_t> path_;  // the options up to the branch
  std::vector<Choice> choices_;
  std::vector<std::uint8_t> orders_;
  std::vector<Mark> marks_;
  std::array<Pending, kMostFlowsInSet> pending_{};
  FlowSet asleep_ = 0;
  std::size_t seen_steps_ = 0;  // whose effects on `asleep_` are known
  std::size_t seen_marks_ = 0;
  std::size_t end_ = 0;  // of the choices that count: afterwards it equals another schedule
  bool is_needless_ = false;
  bool next_takes_lock_ = false;
  bool clock_is_held_ = false;
  bool looks_into_locks_ = false;
  Causality causality_;
};

}  // namespace tg::inline v0::sim
