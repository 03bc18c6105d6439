// SPDX-License-Identifier: Apache-2.0
// The flow that ticks, and taking turns.
#include "background.hpp"

#include <system_error>
#include <utility>

#include <threadgroup/event/wait.hpp>
#include <threadgroup/runtime/clock.hpp>
#include <threadgroup/runtime/threads.hpp>

namespace tg::detail {

Background::Background(Duration interval, std::function<void()> tick) : state_(std::make_shared<State>()) {
  state_->interval = interval;
  state_->tick = std::move(tick);
  auto shared = std::make_unique<std::shared_ptr<State>>(state_);
  runtime::ThreadCache::instance().start({&Background::serve, shared.get()});
  static_cast<void>(shared.release());  // the flow has it now
}

Background::~Background() {
  ReasonPointer reason = state_->ending;
  if (state_->stop.mark(reason.get())) reason.detach();  // the event has that reference
  state_->stop.release_waiters();
  State& state = *state_;
  const auto ended = [&state] {
    MutexLock lock(state.mutex);
    return state.ended;
  };
  static_cast<void>(wait(state.end_waiters, ended, {}, TimePoint::never()));
}

void Background::serve(void* shared_state) noexcept {
  const std::unique_ptr<std::shared_ptr<State>> owner(static_cast<std::shared_ptr<State>*>(shared_state));
  State& state = **owner;
  while (wait({&state.stop, nullptr}, runtime::after(state.interval)) == WaitOutcome::timed_out) state.tick();
  state.tick = nullptr;  // what it holds goes before the end is told
  {
    MutexLock lock(state.mutex);
    state.ended = true;
  }
  state.end_waiters.release_all();
}

void Turns::take() {
  runtime::Flow* const me = &runtime::Flow::current();
  {
    MutexLock lock(mutex_);
    if (owner_ == me) {
      throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                              "threadgroup vault: a file is read or written from inside its own reading");
    }
  }
  const auto mine = [this, me] {
    MutexLock lock(mutex_);
    if (owner_ != nullptr) return false;
    owner_ = me;
    return true;
  };
  static_cast<void>(wait(waiters_, mine, {}, TimePoint::never()));
}

void Turns::give() noexcept {
  {
    MutexLock lock(mutex_);
    owner_ = nullptr;
  }
  waiters_.release_all();
}

}  // namespace tg::detail
