// SPDX-License-Identifier: Apache-2.0
// The rounds of a wait for channels.
#include "sync/channel_wait.hpp"

#include <cstdint>
#include <string>

#include "event/wait_note.hpp"
#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "sync/patience.hpp"

namespace tg::inline v0::detail {

ChannelWait::ChannelWait(std::span<ChannelCase* const> cases) noexcept : cases_(cases) {
  for (std::size_t i = 0; i < cases.size(); ++i) cases[i]->number_ = static_cast<std::uint32_t>(i);
}

// A case that is not linked because its step is possible now ends it.
bool ChannelWait::link_all(Waiter& waiter) noexcept {
  for (ChannelCase* const one : cases_) {
    one->waiter_ = &waiter;
    if (!one->channel().link(*one)) return false;
  }
  return true;
}

// `ready`: a case was served, or one may be possible now.
WaitOutcome ChannelWait::wait_one_round(Park park) {
  Waiter waiter(runtime::Flow::current());
  served_ = nullptr;
  const bool is_linked = link_all(waiter);
  const WaitOutcome outcome = is_linked ? park(waiter) : WaitOutcome::ready;
  const bool is_served = is_linked ? outcome == WaitOutcome::ready : !waiter.withdraw();
  if (is_served) served_ = cases_[waiter.served_case()];
  for (ChannelCase* const one : cases_)
    if (one != served_) one->channel().unlink(*one);
  return outcome;
}

ChannelWait::End ChannelWait::try_all(std::size_t begin) noexcept {
  End end;
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    const std::size_t number = (begin + i) % cases_.size();
    ChannelCase& one = *cases_[number];
    const ChannelCore::Attempt attempt = one.channel().attempt(one, &one == served_);
    if (attempt == ChannelCore::Attempt::done) return {WaitOutcome::ready, number};
    if (attempt == ChannelCore::Attempt::closed) end = {WaitOutcome::closed, number};
  }
  return end;
}

ChannelWait::End ChannelWait::wait(const Event* event, Park park) {
  const End end = wait_in_rounds(event, park);
  for (ChannelCase* const one : cases_) one->channel().leave(*one);
  return end;
}

ChannelWait::End ChannelWait::wait_in_rounds(const Event* event, Park park) {
  const TimePoint long_after = runtime::now() + kPatience;
  for (;;) {
    const WaitOutcome outcome = wait_one_round(park);
    if (outcome != WaitOutcome::ready) return {outcome};
    if (served_ != nullptr && served_->has_met_) {
      // What was handed over is kept, even if the caller is stopped now.
      served_->has_met_ = false;
      if (served_->kind_ == ChannelCase::Kind::send || served_->move_(served_->room_))
        return {WaitOutcome::ready, served_->number_};
    } else if (served_ != nullptr) {
      served_->channel().arrive(*served_, runtime::now() >= long_after);
    }
    if (is_set(event)) return {WaitOutcome::event_set};
    const End end = try_all(served_ != nullptr ? served_->number_ : 0);
    if (end.outcome != WaitOutcome::timed_out) return end;
  }
}

WaitOutcome wait_for_case(ChannelCase& mine, Event* event, TimePoint deadline) {
  const WaitNote note("a channel");
  ChannelCase* const cases[] = {&mine};
  ChannelWait wait(cases);
  return wait.wait(event, [&](Waiter& waiter) { return waiter.wait(event, deadline); }).outcome;
}

}  // namespace tg::inline v0::detail
