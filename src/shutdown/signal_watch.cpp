// SPDX-License-Identifier: Apache-2.0
// Waiting for a signal, and what follows.
#include "shutdown/signal_watch.hpp"

#include <exception>
#include <utility>

#include "base/report.hpp"
#include "event/wait.hpp"
#include "event/wait_note.hpp"
#include "runtime/engine.hpp"
#include "runtime/flow.hpp"
#include "runtime/threads.hpp"
#include "shutdown/stages.hpp"
#include "tree/forest.hpp"

namespace tg::inline v0::detail {

std::shared_ptr<SignalWatch> SignalWatch::start(ShutdownPlan plan, std::vector<int> signals) {
  runtime::refuse_real_io("tg::SignalShutdown");
  auto watch = std::make_shared<SignalWatch>(plan, std::move(signals));
  auto shared = std::make_unique<std::shared_ptr<SignalWatch>>(watch);
  runtime::ThreadCache::instance().start({&SignalWatch::serve_main, shared.get()});
  static_cast<void>(shared.release());  // the thread has it now
  return watch;
}

void SignalWatch::close() noexcept {
  if (fork_generation_ != runtime::fork_generation()) return;  // the thread is the parent's
  closing_.store(true, std::memory_order_seq_cst);
  nothing_.release_all();
  bool was_lost = false;
  const auto has_ended = [&] {
    MutexLock lock(mutex_);
    was_lost = !has_begun_;
    return has_ended_;
  };
  static_cast<void>(wait(ended_waiters_, has_ended, {}, TimePoint::never()));
  if (was_lost) caught_->ignore_what_came();
  caught_.reset();
}

std::optional<ShutdownReport> SignalWatch::report() const {
  MutexLock lock(mutex_);
  return report_;
}

ShutdownReport SignalWatch::wait_for_report() {
  const WaitNote note("a signal (tg::SignalShutdown)");
  const auto is_there = [this] {
    MutexLock lock(mutex_);
    return report_.has_value();
  };
  static_cast<void>(tg::detail::wait(report_waiters_, is_there, {}, TimePoint::never()));
  return *report();
}

void SignalWatch::keep(ShutdownReport report) noexcept {
  {
    MutexLock lock(mutex_);
    report_ = std::move(report);
  }
  report_waiters_.release_all();
}

void SignalWatch::serve_main(void* shared) noexcept {
  const std::unique_ptr<std::shared_ptr<SignalWatch>> watch(
      static_cast<std::shared_ptr<SignalWatch>*>(shared));
  (*watch)->serve();
}

void SignalWatch::serve() noexcept {
  runtime::Flow::current().set_os_name("tg-signals");
  {
    const runtime::SignalCatch::Receiving receiving(*caught_);
    const auto is_closing = [this] { return closing_.load(std::memory_order_seq_cst); };
    static_cast<void>(wait(
        nothing_, [&] { return is_closing() || caught_->count() > 0; }, {}, TimePoint::never()));
    if (caught_->count() > 0) shut_down();
    static_cast<void>(wait(nothing_, is_closing, {}, TimePoint::never()));
  }
  {
    MutexLock lock(mutex_);
    has_ended_ = true;
  }
  ended_waiters_.release_all();
}

void SignalWatch::shut_down() noexcept {
  {
    MutexLock lock(mutex_);
    has_begun_ = true;
  }
  Stages stages;
  stages.plan = plan_;
  stages.reason.kind = ReasonKind::signal;
  ShutdownReport report;
  try {
    stages.reason.message = runtime::name_of_signal(caught_->first());
    report = detail::shut_down(stages, [this] { return caught_->count() > 1; });
    if (!report) report_lines("threadgroup: " + report.str() + "\n");
  } catch (const std::exception& e) {
    report_line({"cannot shut down in stages, so all groups are stopped at once: ", e.what()});
    stop_all(std::move(stages.reason));
  }
  keep(std::move(report));
}

// Needs far less memory than the stages. Groups that are stopped already stay as they are.
void SignalWatch::stop_all(Reason reason) noexcept try {
  Forest::instance().set_all_events(std::move(reason));
} catch (const std::exception& e) {
  report_line({"cannot stop the groups: ", e.what()});
}

}  // namespace tg::inline v0::detail
