// SPDX-License-Identifier: Apache-2.0
// Vector clocks and races.
#include "sim/causality.hpp"

#include <algorithm>
#include <bit>

namespace tg::inline v0::sim {

bool writes(const Step& step) noexcept {
  if (step.kind != Step::Kind::store && step.kind != Step::Kind::change) return false;
  return step.seen.before != step.seen.after || step.seen.after == kSomeAddress;
}

void Causality::join(Times& times, const Times& other) const noexcept {
  for (std::size_t i = 0; i < flows_; ++i) times[i] = std::max(times[i], other[i]);
}

void Causality::find_races(const Trace& trace, const std::vector<Mark>& marks, bool clock_is_held,
                           std::uint32_t from, std::uint32_t to,
                           const std::function<void(const Race&)>& found) {
  found_ = &found;
  clock_is_held_ = clock_is_held;
  from_ = from;
  to_ = to;
  flows_ = 1;
  for (std::size_t step = 0; step < trace.size(); ++step)
    flows_ = std::max<std::size_t>(flows_, trace[step].flow + std::size_t{1});
  events_.clear();
  for (auto& events : events_of_) events.clear();
  for (Times& times : known_) times.fill(0);
  words_.clear();
  parts_.clear();
  causes_of_.fill(kNone);
  jump_ = kNone;
  clock_reads_.fill(kNone);
  is_open_ = false;
  takes_lock_ = false;
  choices_ = 0;
  clock_read_at_ = kNone;
  with_deadline_ = 0;
  std::size_t mark = 0;
  for (std::size_t step = 0; step < trace.size(); ++step) {
    for (; mark < marks.size() && marks[mark].at <= step; ++mark) see_mark(marks[mark]);
    see_step(trace[step], static_cast<std::int32_t>(step));
  }
  for (; mark < marks.size(); ++mark) see_mark(marks[mark]);
  end();
}

// --- Events ---

void Causality::begin(std::uint32_t flow, std::int32_t choice) {
  end();
  Event event;
  event.flow = flow;
  event.number = static_cast<std::uint32_t>(events_of_[flow].size() + 1);
  event.choice = choice;
  event.is_access = false;
  event.is_new = choices_ > from_ && choices_ <= to_;
  events_of_[flow].push_back(static_cast<std::int32_t>(events_.size()));
  events_.push_back(event);
  is_open_ = true;
}

void Causality::end() {
  if (!is_open_) return;
  is_open_ = false;
  Event& event = events_.back();
  Times& known = known_[event.flow];
  if (event.is_new) {
    for (std::size_t i = 0; i < causes_.size(); ++i)
      if (causes_[i].could_swap) judge(i);
  }
  for (const Cause& cause : causes_) join(known, events_[static_cast<std::size_t>(cause.event)].times);
  known[event.flow] = event.number;
  event.times = known;
  const auto self = static_cast<std::int32_t>(events_.size() - 1);
  causes_of_[event.flow] = self;
  for (const std::size_t flow : followers_) {
    causes_of_[flow] = self;
    join(known_[flow], known);
    join(known_[flow], others_);
  }
  if (leaves_ != nullptr) join(parts_[leaves_], known);
  causes_.clear();
  followers_.clear();
  leaves_ = nullptr;
  others_.fill(0);
}

void Causality::depend(std::int32_t event, bool could_swap) {
  if (event == kNone || event + 1 == static_cast<std::int32_t>(events_.size())) return;
  for (Cause& cause : causes_) {
    if (cause.event != event) continue;
    cause.could_swap = cause.could_swap || could_swap;
    return;
  }
  causes_.push_back({event, could_swap});
}

void Causality::depend(const Last& events) {
  for (std::size_t flow = 0; flow < flows_; ++flow) depend(events[flow]);
}

// Whether the open event and this cause are a race, and which flows could come first.
void Causality::judge(std::size_t candidate) {
  const Event& second = events_.back();
  const std::int32_t index = causes_[candidate].event;
  const Event& first = events_[static_cast<std::size_t>(index)];
  if (first.flow == second.flow || first.choice < 0) return;
  Times times = known_[second.flow];  // of the second event, but for the first one
  if (times[first.flow] >= first.number) return;
  for (std::size_t i = 0; i < causes_.size(); ++i) {
    if (i == candidate || !causes_[i].could_swap) continue;
    const Times& other = events_[static_cast<std::size_t>(causes_[i].event)].times;
    if (other[first.flow] >= first.number) return;
    join(times, other);
  }
  // For each flow the first event that came after the first one and does not depend on it. The flow can come
  // first if this event depends on none of the others.
  std::array<std::int32_t, kMostFlowsInSet> next{};
  FlowSet flows = 0;
  for (std::size_t flow = 0; flow < flows_; ++flow) {
    const std::vector<std::int32_t>& events = events_of_[flow];
    const auto after = std::upper_bound(events.begin(), events.end(), index);
    if (flow == first.flow || after == events.end()) continue;
    const Event& event = events_[static_cast<std::size_t>(*after)];
    if (&event != &second && event.times[first.flow] >= first.number) continue;
    next[flow] = *after;
    flows |= set_of(flow);
  }
  Race race{static_cast<std::size_t>(first.choice), 0, second.flow};
  for (std::size_t flow = 0; flow < flows_; ++flow) {
    if ((flows & set_of(flow)) == 0) continue;
    const Event& event = events_[static_cast<std::size_t>(next[flow])];
    const Times& before = &event == &second ? times : event.times;
    bool comes_first = true;
    for (std::size_t other = 0; other < flows_ && comes_first; ++other) {
      if (other == flow || (flows & set_of(other)) == 0) continue;
      comes_first = before[other] < events_[static_cast<std::size_t>(next[other])].number;
    }
    if (comes_first) race.firsts |= set_of(flow);
  }
  if ((race.firsts & set_of(second.flow)) == 0)
    race.preferred = static_cast<std::size_t>(std::countr_zero(race.firsts));
  (*found_)(race);
}

// --- What happens in them ---

void Causality::see_mark(const Mark& mark) {
  choices_ = mark.choices;
  const bool begins = mark.kind == Mark::Kind::access || mark.kind == Mark::Kind::jump;
  if (begins || !is_open_ || events_.back().flow != mark.flow) begin(mark.flow, mark.choice);
  switch (mark.kind) {
    case Mark::Kind::access:
      takes_lock_ = mark.takes_lock;
      events_.back().is_access = true;
      break;
    case Mark::Kind::jump:
      break;
    case Mark::Kind::clock:
      clock_read_at_ = static_cast<std::int32_t>(mark.at);
      read_clock(mark.flow);
      break;
    case Mark::Kind::destroys:
      if (const auto word = words_.find(mark.word); word != words_.end()) {
        write(word->second);
        words_.erase(word);  // the next one at this address is another word
      }
      break;
    case Mark::Kind::wakes:
      followers_.push_back(mark.other);
      // The clock could have jumped before, and now that it does not, no jump may be in the trace.
      if ((with_deadline_ & set_of(mark.other)) != 0 && events_.back().is_new && events_.back().choice >= 0)
        (*found_)({static_cast<std::size_t>(events_.back().choice), set_of(0), 0});
      with_deadline_ &= ~set_of(mark.other);
      break;
    default:
      leaves_ = mark.word;
      parts_.try_emplace(mark.word, Times{});
      break;
  }
}

// A flow that was woken runs to its next access at once, so its look at the clock comes when the waker's event
// does.
void Causality::read_clock(std::size_t flow) {
  depend(jump_);
  const auto self = static_cast<std::int32_t>(events_.size() - 1);
  const std::int32_t cause = events_.back().is_access ? self : causes_of_[flow];
  if (cause != kNone) clock_reads_[events_[static_cast<std::size_t>(cause)].flow] = cause;
}

void Causality::see_step(const Step& step, std::int32_t index) {
  const bool is_flows = step.kind != Step::Kind::jump && step.kind != Step::Kind::time_out;
  if (is_flows && (!is_open_ || events_.back().flow != step.flow)) begin(step.flow, kNone);
  if (step.kind == Step::Kind::jump && (!is_open_ || events_.back().flow != 0)) begin(0, kNone);
  const auto self = static_cast<std::int32_t>(events_.size() - 1);
  switch (step.kind) {
    case Step::Kind::load:
    case Step::Kind::store:
    case Step::Kind::change:
      return access(words_[step.word], step);
    case Step::Kind::wake:
      if (const auto part = parts_.find(step.word); part != parts_.end()) {
        others_ = part->second;  // not before this event, but before what the woken flow does
        parts_.erase(part);
        leaves_ = nullptr;
        return;
      }
      return wake(words_[step.word], step.count);
    case Step::Kind::sleep: {
      Word& word = words_[step.word];
      depend(word.wake);
      depend(word.idle_wakes);
      word.sleeps[step.flow] = self;
      if (clock_read_at_ == index) with_deadline_ |= set_of(step.flow);
      return end();
    }
    case Step::Kind::yield:
      return end();
    case Step::Kind::start:
      followers_.push_back(static_cast<std::size_t>(step.count));
      return;
    case Step::Kind::jump:
      if (clock_is_held_)
        for (const Times& known : known_) join(known_[0], known);
      return;
    case Step::Kind::time_out:
      depend(clock_reads_);
      clock_reads_.fill(kNone);
      jump_ = self;
      wake(words_[step.word], 1);
      followers_.push_back(step.flow);
      with_deadline_ &= ~set_of(step.flow);
      return end();
    default:
      return;
  }
}

void Causality::access(Word& word, const Step& step) {
  const auto self = static_cast<std::int32_t>(events_.size() - 1);
  if (takes_lock_) {
    // Its holder and this flow were never both able to go on, so what could come in another order is the two
    // locks.
    takes_lock_ = false;
    depend(word.lock);
    depend(word.write, false);
    for (std::size_t flow = 0; flow < flows_; ++flow) depend(word.reads[flow], false);
    word.lock = word.write = self;
    word.reads.fill(kNone);
  } else if (writes(step)) {
    write(word);
  } else {
    depend(word.write);
    word.reads[step.flow] = self;
  }
}

void Causality::write(Word& word) {
  depend(word.write);
  depend(word.reads);
  word.write = static_cast<std::int32_t>(events_.size() - 1);
  word.reads.fill(kNone);
}

void Causality::wake(Word& word, std::int64_t count) {
  const auto self = static_cast<std::int32_t>(events_.size() - 1);
  depend(word.wake);
  depend(word.sleeps);
  if (count == 0) {
    word.idle_wakes[events_.back().flow] = self;
    return;
  }
  depend(word.idle_wakes);
  word.wake = self;
  word.sleeps.fill(kNone);
  word.idle_wakes.fill(kNone);
}

}  // namespace tg::inline v0::sim
