// SPDX-License-Identifier: Apache-2.0
// The thread that watches.
#include "simulation/watchdog.hpp"

#include <exception>
#include <string>
#include <utility>

#include "base/report.hpp"
#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/threads.hpp"

namespace tg::inline v0::sim {

namespace {
// Atomic: tests set them, the threads read them.
constinit detail::Atomic<std::int64_t> patience{20'000'000'000};
constinit detail::Atomic<std::int64_t> between_looks{1'000'000'000};
}  // namespace

struct Watchdog::State {
  State(const detail::Atomic<std::uint64_t>& steps, std::string label)
      : progress(steps), who(std::move(label)) {}
  const detail::Atomic<std::uint64_t>& progress;
  const std::string who;                            // the thread that is watched
  detail::Atomic<bool> done{false};                 // atomic: written by the thread that is watched
  detail::Atomic<runtime::Flow*> watcher{nullptr};  // atomic: written by the thread that watches
};

void Watchdog::set_patience(Duration how_long, Duration how_often) noexcept {
  patience.store(how_long.nanos(), std::memory_order_relaxed);
  between_looks.store(how_often.nanos(), std::memory_order_relaxed);
}

Watchdog::Watchdog(const detail::Atomic<std::uint64_t>& progress) noexcept {
  try {
    state_ = std::make_shared<State>(progress, runtime::Flow::current().os_label());
    auto shared = std::make_unique<std::shared_ptr<State>>(state_);
    runtime::ThreadCache::instance().start({&Watchdog::watch, shared.get()});
    static_cast<void>(shared.release());  // the thread has it now
  } catch (const std::exception&) {
    state_ = nullptr;
  }
}

Watchdog::~Watchdog() {
  if (state_ == nullptr) return;
  state_->done.store(true, std::memory_order_seq_cst);
  if (runtime::Flow* const flow = state_->watcher.load(std::memory_order_seq_cst)) flow->unpark();
}

void Watchdog::watch(void* raw) noexcept {
  const std::unique_ptr<std::shared_ptr<State>> shared(static_cast<std::shared_ptr<State>*>(raw));
  State& state = **shared;
  runtime::Flow& me = runtime::Flow::current();
  state.watcher.store(&me, std::memory_order_seq_cst);
  std::uint64_t seen = state.progress.load(std::memory_order_relaxed);
  TimePoint since = runtime::now();
  bool has_reported = false;
  while (!state.done.load(std::memory_order_seq_cst)) {
    me.park_until(runtime::after(Duration::from_nanos(between_looks.load(std::memory_order_relaxed))));
    const std::uint64_t progress = state.progress.load(std::memory_order_relaxed);
    if (std::exchange(seen, progress) != progress) {
      since = runtime::now();
      has_reported = false;
      continue;
    }
    const Duration quiet = runtime::now() - since;
    if (has_reported || quiet < Duration::from_nanos(patience.load(std::memory_order_relaxed)) ||
        state.done.load(std::memory_order_seq_cst))
      continue;
    has_reported = true;
    constexpr const char* kWhy =
        ": its running task blocks without the library, or loops without a wait; see docs/testing.md";
    detail::report_line({"the simulation on ", state.who, " has made no step for ", to_string(quiet), kWhy});
  }
}

}  // namespace tg::inline v0::sim
