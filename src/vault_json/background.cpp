// SPDX-License-Identifier: Apache-2.0
// The flow that ticks.
#include "vault_json/background.hpp"

#include <utility>

#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/outcomes.hpp>

#include "event/wait.hpp"
#include "runtime/fork.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/threads.hpp"
#include "vault_json/aside.hpp"

namespace tg::inline v0::detail {

Background::Background(Duration interval, Duration grace, std::function<void()> tick)
    : state_(std::make_shared<State>()), grace_(grace), fork_generation_(runtime::fork_generation()) {
  state_->interval = interval;
  state_->tick = std::move(tick);
  auto shared = std::make_unique<std::shared_ptr<State>>(state_);
  runtime::ThreadCache::instance().start({&Background::serve, shared.get()});
  static_cast<void>(shared.release());  // the flow has it now
}

Background::~Background() {
  if (fork_generation_ != runtime::fork_generation()) return;
  ReasonPointer reason = state_->ending;
  if (state_->stop.mark(reason.get())) reason.detach();  // the event has that reference
  state_->stop.release_waiters();
  State& state = *state_;
  const auto ended = [&state] {
    MutexLock lock(state.mutex);
    return state.ended;
  };
  static_cast<void>(wait_with_grace(state.end_waiters, ended, grace_));
}

void Background::serve(void* shared_state) noexcept {
  const std::unique_ptr<std::shared_ptr<State>> owner(static_cast<std::shared_ptr<State>*>(shared_state));
  State& state = **owner;
  while (wait({&state.stop, nullptr}, runtime::after(state.interval)) == WaitOutcome::timed_out) state.tick();
  state.tick = nullptr;  // what it holds is destroyed before the destructor returns
  {
    MutexLock lock(state.mutex);
    state.ended = true;
  }
  state.end_waiters.release_all();
}

}  // namespace tg::inline v0::detail
