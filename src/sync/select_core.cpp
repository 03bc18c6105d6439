// SPDX-License-Identifier: Apache-2.0
// One look at all items from a random start, then a wait for all of them.
#include <threadgroup/detail/select_core.hpp>

#include <algorithm>
#include <string>

#include <threadgroup/detail/task_slot.hpp>

#include "event/callers_task.hpp"
#include "event/event.hpp"
#include "event/wait.hpp"
#include "event/wait_note.hpp"
#include "runtime/flow.hpp"
#include "runtime/poll.hpp"
#include "runtime/random.hpp"
#include "runtime/steady_clock.hpp"
#include "sync/channel_wait.hpp"
#include "sync/waiter.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

/// One call of `select`.
class Selection {
 public:
  Selection(std::span<SelectItem> items, std::span<ChannelCase*> room);
  SelectEnd run();

 private:
  using What = SelectItem::What;
  bool is_possible(const SelectItem& item) const;
  bool one_is_possible() const;
  void look_at_descriptors();
  SelectEnd look();
  WaitOutcome park(Waiter& waiter);
  WaitOutcome park_in_poll(Waiter& waiter);
  std::size_t index_of(const ChannelCase* channel) const;
  std::size_t index_of_possible() const;

  // While it lives, the flow is linked to the tasks and events.
  class Links {
   public:
    explicit Links(std::span<SelectItem> items) : items_(items) {
      for (SelectItem& item : items) {
        WaitQueue* const queue = queue_of(item);
        if (queue == nullptr) continue;
        if (item.what_ == What::event) item.event_->watch();
        queue->link(item.node_.emplace(runtime::Flow::current()));
      }
    }
    ~Links() {
      for (SelectItem& item : items_)
        if (WaitQueue* const queue = queue_of(item)) queue->unlink(*item.node_);
    }
    Links(const Links&) = delete;
    Links& operator=(const Links&) = delete;

   private:
    static WaitQueue* queue_of(const SelectItem& item) {
      if (item.what_ == What::task) return &item.task_->end_waiters();
      return item.what_ == What::event ? &item.event_->waiters() : nullptr;
    }
    const std::span<SelectItem> items_;
  };

  const std::span<SelectItem> items_;
  std::span<ChannelCase*> channels_;  // in the order in which they are linked
  Event* const event_ = event_of_caller();
  const TimePoint begin_ = runtime::now();
  TimePoint deadline_ = TimePoint::never();
  bool may_wait_ = true;
  runtime::Poll poll_;
};

Selection::Selection(std::span<SelectItem> items, std::span<ChannelCase*> room) : items_(items) {
  std::size_t channels = 0;
  for (SelectItem& item : items) {
    switch (item.what_) {
      case What::channel:
        item.channel_->channel().check_process();
        room[channels++] = item.channel_;
        break;
      case What::time:
        deadline_ = std::min(deadline_, begin_ + item.after_);
        break;
      case What::descriptor:
        poll_.add(item.descriptor_.number, item.descriptor_.for_writing);
        break;
      case What::otherwise:
        may_wait_ = false;
        break;
      case What::task:
        if (!item.task_->done()) item.task_->refuse_endless_wait(TaskContext::current());
        break;
      case What::event:
        break;
    }
  }
  channels_ = room.first(channels);
  std::sort(channels_.begin(), channels_.end(), [](const ChannelCase* a, const ChannelCase* b) {
    return a->channel().number() < b->channel().number();
  });
}

bool Selection::is_possible(const SelectItem& item) const {
  switch (item.what_) {
    case What::time:
      return item.after_ <= Duration() || runtime::now() >= begin_ + item.after_;
    case What::task:
      return item.task_->done();
    case What::event:
      return item.event_->is_set();
    case What::descriptor:
      return item.is_ready_;
    case What::channel:
    case What::otherwise:
      break;
  }
  return false;
}

bool Selection::one_is_possible() const {
  return std::any_of(items_.begin(), items_.end(), [&](const SelectItem& item) { return is_possible(item); });
}

void Selection::look_at_descriptors() {
  std::size_t next = 0;
  for (SelectItem& item : items_)
    if (item.what_ == What::descriptor) item.is_ready_ = poll_.is_ready(next++);
}

// `timed_out`: nothing is possible now.
SelectEnd Selection::look() {
  const std::size_t begin = runtime::random_number() % items_.size();
  SelectEnd end{WaitOutcome::timed_out};
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const std::size_t index = (begin + i) % items_.size();
    SelectItem& item = items_[index];
    if (item.what_ == What::channel) {
      ChannelCase* const one[] = {item.channel_};
      const WaitOutcome outcome = ChannelWait(one).try_all(0).outcome;
      if (outcome == WaitOutcome::ready) return {outcome, index};
      if (outcome == WaitOutcome::closed) end = {outcome, index};
    } else if (is_possible(item)) {
      return {WaitOutcome::ready, index};
    }
  }
  return end;
}

std::size_t Selection::index_of(const ChannelCase* channel) const {
  const auto found = std::find_if(items_.begin(), items_.end(),
                                  [&](const SelectItem& item) { return item.channel_ == channel; });
  return static_cast<std::size_t>(found - items_.begin());
}

WaitOutcome Selection::park(Waiter& waiter) {
  const WaitOutcome outcome = !poll_.is_empty()
                                  ? park_in_poll(waiter)
                                  : wait_unparked([&] { return waiter.is_released() || one_is_possible(); },
                                                  {event_, nullptr}, deadline_);
  if (waiter.is_released() || !waiter.withdraw()) return WaitOutcome::ready;
  return outcome == WaitOutcome::event_set ? outcome : WaitOutcome::timed_out;
}

// The flow sleeps in `poll`, and the flow that unparks it writes to an event descriptor.
WaitOutcome Selection::park_in_poll(Waiter& waiter) {
  runtime::Flow& me = runtime::Flow::current();
  WaitNode node(me);
  if (event_ != nullptr) {
    event_->watch();
    event_->waiters().link(node);
  }
  WaitOutcome outcome = WaitOutcome::timed_out;
  for (;;) {
    if (waiter.is_released() || one_is_possible()) break;
    if (event_ != nullptr && event_->is_set()) {
      outcome = WaitOutcome::event_set;
      break;
    }
    const bool has_polled = poll_.park(me, deadline_);
    look_at_descriptors();
    if (!has_polled) break;  // `run` looks again, which throws while nothing is linked
  }
  if (event_ != nullptr) event_->waiters().unlink(node);
  return outcome;
}

SelectEnd Selection::run() {
  const WaitNote note("one of several cases (tg::select)");
  for (;;) {
    if (event_ != nullptr && event_->is_set()) return {WaitOutcome::event_set};
    if (!poll_.is_empty()) {
      poll_.look();
      look_at_descriptors();
    }
    const SelectEnd now = look();
    if (now.outcome == WaitOutcome::ready) return now;
    if (!may_wait_) {
      const auto is_otherwise = [](const SelectItem& item) { return item.what_ == What::otherwise; };
      const auto at = std::find_if(items_.begin(), items_.end(), is_otherwise);
      return {WaitOutcome::ready, static_cast<std::size_t>(at - items_.begin())};
    }
    if (now.outcome == WaitOutcome::closed) return now;
    const Links links(items_);
    ChannelWait wait(channels_);
    const ChannelWait::End end = wait.wait(event_, [&](Waiter& waiter) { return park(waiter); });
    if (end.outcome == WaitOutcome::event_set) return {end.outcome};
    if (end.outcome == WaitOutcome::ready) return {end.outcome, index_of(channels_[end.number])};
    // A channel is closed, or something other than a channel may be possible: look at all.
  }
}

SelectEnd select_one(std::span<SelectItem> items, std::span<ChannelCase*> room) {
  return Selection(items, room).run();
}

}  // namespace tg::inline v0::detail
