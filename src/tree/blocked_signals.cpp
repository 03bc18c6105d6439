// SPDX-License-Identifier: Apache-2.0
// The flow that waits and then checks.
#include "tree/blocked_signals.hpp"

#include <exception>

#include <threadgroup/duration.hpp>

#include "base/planted.hpp"
#include "runtime/flow.hpp"
#include "runtime/fork.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/threads.hpp"
#include "tree/call_registration.hpp"

namespace tg::inline v0::detail {

constinit BlockedSignals BlockedSignals::only_;

namespace {
[[gnu::constructor(runtime::at_load::kLeaves)]] void forget_blocked_signals() {
  BlockedSignals::forget_at_forks();
}
}  // namespace

void BlockedSignals::forget_at_forks() {
  runtime::at_fork(nullptr, nullptr, [] { only_.forget(); });
  using runtime::Engine;
  Engine::register_part(Engine::Part::blocked_signals,
                        {[]() -> void* { return new BlockedSignals; },
                         [](void* part) noexcept { static_cast<BlockedSignals*>(part)->forget(); }});
}

void BlockedSignals::note_sent() noexcept {
  state_.fetch_or(kNoted, TG_ORDER(release, signals_note_is_not_ordered, relaxed));
}

void BlockedSignals::check_later() noexcept {
  // The caller has noted its own signals. If the note is gone, or the flow runs, their check is under way, or comes.
  std::uint32_t expected = kNoted;
  if (state_.load(std::memory_order_relaxed) != kNoted ||
      !state_.compare_exchange_strong(expected, kNoted | kServed, std::memory_order_acquire,
                                      std::memory_order_relaxed))
    return;
  try {
    runtime::ThreadCache::instance().start({&BlockedSignals::serve_main, this});
  } catch (const std::exception&) {
    state_.exchange(kNoted, std::memory_order_release);
  }
}

void BlockedSignals::serve_main(void* signals) noexcept { static_cast<BlockedSignals*>(signals)->serve(); }

void BlockedSignals::serve() noexcept {
  runtime::Flow& me = runtime::Flow::current();
  me.set_os_name("tg-stop-signals");
  std::uint32_t expected = 0;
  do {
    TimePoint at = runtime::after(CallRegistration::kReportAfter);
    while (!at.is_never()) {
      while (runtime::now() < at) me.park_until(at);
      // Before the check: a signal that is sent during it needs another one.
      if (!TG_PLANTED(signals_are_missed_during_the_check))
        state_.exchange(kServed, std::memory_order_acquire);
      at = CallRegistration::report_blocked(runtime::now());
      if (TG_PLANTED(signals_are_missed_during_the_check))
        state_.exchange(kServed, std::memory_order_acquire);
    }
    expected = kServed;
  } while (
      !state_.compare_exchange_strong(expected, 0, std::memory_order_release, std::memory_order_relaxed));
}

}  // namespace tg::inline v0::detail
