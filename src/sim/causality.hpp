// SPDX-License-Identifier: Apache-2.0
// Which parts of a schedule happened before which, and which of them could have come in another order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "sim/trace.hpp"

namespace tg::inline v0::sim {

/// Set of flows, by their numbers; the clock is 0.
using FlowSet = std::uint32_t;
constexpr std::size_t kMostFlowsInSet = 32;
constexpr FlowSet set_of(std::size_t flow) noexcept { return FlowSet{1} << flow; }

/// What a trace does not say, in the order in which it happened: see `Guide`.
struct Mark {
  enum class Kind : std::uint8_t {
    access,    // the flow makes the access that is the next step
    clock,     // it reads the clock
    jump,      // the clock was chosen, and jumps
    destroys,  // it ends the life of `word`
    wakes,     // it wakes flow number `other`
    leaves,    // it has ended its part, and `word` counts the parts
  };
  Kind kind;
  bool takes_lock = false;
  std::uint8_t flow = 0;
  std::uint8_t other = 0;
  std::uint32_t at = 0;       // so many steps were there
  std::uint32_t choices = 0;  // so many choices were made
  std::int32_t choice = -1;   // that continued the flow for this; -1: there was no other flow
  const void* word = nullptr;
};

/// An access that writes, as a trace shows it: a change that leaves the word as it was is a read.
bool writes(const Step& step) noexcept;

/// Looks through a trace.
///
/// An event is what a flow does from one point to the next: an access, and what belongs to it, such as
/// falling asleep after a look at the word, or starting a flow. Two events of different flows depend on each
/// other, and their order matters,
///
/// - if both access a word, and one of them writes it or ends its life;
/// - if one sleeps on a word, or has its time-out there, and the other one wakes the sleepers of that word;
/// - if one is the clock's, which jumps, and the other one depends on the time.
///
/// Besides, an event happens before what it makes possible: the first event of a flow before the others, a
/// start before the new flow's first event, a wake before what the woken flow does, the release of a lock
/// before the next lock. Each event has a vector clock (F. Mattern, 1989): for each flow the number of events
/// that happened before.
///
/// Two events are a race if they depend on each other, and the first one happens before the second one only
/// because it came first. A word is known by its address until its life ends; what is made there later is
/// another word.
///
/// Thread safety: none.
class Causality {
 public:
  /// The events could have come in the other order. `choice` is the choice by which the first one came, and
  /// each of `firsts` is a flow that another choice could continue instead, so that all that does not depend
  /// on the first event, and then the second one, come before the first one. `preferred` is one of them.
  struct Race {
    std::size_t choice;
    FlowSet firsts;
    std::size_t preferred;
  };

  /// Calls `found` with each race whose second event came after `from` choices and not after `to`.
  void find_races(const Trace& trace, const std::vector<Mark>& marks, bool clock_is_held, std::uint32_t from,
                  std::uint32_t to, const std::function<void(const Race&)>& found);

 private:
  static constexpr std::int32_t kNone = -1;
  using Times = std::array<std::uint32_t, kMostFlowsInSet>;  // a vector clock
  using Last = std::array<std::int32_t, kMostFlowsInSet>;    // for each flow the last event of a kind

  struct Event {
    std::uint32_t flow;
    std::uint32_t number;  // of the flow's, from 1 on
    std::int32_t choice;
    bool is_new;
    bool is_access;
    Times times;
  };
  struct Word {
    Word() noexcept { reads.fill(kNone), sleeps.fill(kNone), idle_wakes.fill(kNone); }
    std::int32_t write = kNone;
    std::int32_t lock = kNone;
    std::int32_t wake = kNone;
    Last reads;       // since the last write
    Last sleeps;      // since the last wake
    Last idle_wakes;  // that woke none, since the last wake
  };

  void begin(std::uint32_t flow, std::int32_t choice);
  void end();
  void read_clock(std::size_t flow);
  void see_mark(const Mark& mark);
  void see_step(const Step& step, std::int32_t index);
  void access(Word& word, const Step& step);
  void write(Word& word);
  void wake(Word& word, std::int64_t count);
  void depend(std::int32_t event, bool could_swap = true);
  void depend(const Last& events);
  void judge(std::size_t candidate);
  void join(Times& times, const Times& other) const noexcept;

  const std::function<void(const Race&)>* found_ = nullptr;
  bool clock_is_held_ = false;
  std::size_t flows_ = 0;  // and the clock
  std::uint32_t from_ = 0;
  std::uint32_t to_ = 0;

  std::vector<Event> events_;
  std::array<std::vector<std::int32_t>, kMostFlowsInSet> events_of_;  // the flow
  Last causes_of_{};  // of each flow's next event: what began or woke it, or its last event
  std::array<Times, kMostFlowsInSet> known_{};  // to the flow
  std::unordered_map<const void*, Word> words_;
  std::unordered_map<const void*, Times> parts_;  // by the words that count them
  std::int32_t jump_ = kNone;
  Last clock_reads_{};         // since the last jump
  FlowSet with_deadline_ = 0;  // flows that sleep with one

  // Of the event that has not ended.
  bool is_open_ = false;
  bool takes_lock_ = false;
  std::uint32_t choices_ = 0;           // so far
  std::int32_t clock_read_at_ = kNone;  // the step that came next
  struct Cause {
    std::int32_t event;
    bool could_swap;
  };
  std::vector<Cause> causes_;
  std::vector<std::size_t> followers_;  // the flows that it starts or wakes
  Times others_{};                      // what happens before those, besides the event
  const void* leaves_ = nullptr;        // the word that counts the parts
};

}  // namespace tg::inline v0::sim
