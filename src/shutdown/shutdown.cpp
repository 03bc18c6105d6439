// SPDX-License-Identifier: Apache-2.0
// The calls of a program, and the text of a report.
#include <threadgroup/shutdown.hpp>

#include <system_error>
#include <utility>

#include <fmt/format.h>

#include <threadgroup/thread_utils.hpp>

#include "base/escaped.hpp"
#include "event/callers_task.hpp"
#include "group/group_core.hpp"
#include "shutdown/signal_watch.hpp"
#include "shutdown/stages.hpp"
#include "tree/counts_text.hpp"
#include "tree/wait_graph.hpp"

namespace tg {
inline namespace v0 {

namespace {

bool no_hurry() { return false; }

std::string seconds(Duration d) { return fmt::format("{:.2f} s", static_cast<double>(d.nanos()) / 1e9); }

}  // namespace

std::string ShutdownReport::str() const {
  std::string text;
  if (drained) {
    text = "drained in " + seconds(drain_took);
  } else {
    if (drain_took >= Duration::from_nanos(10'000'000)) text = "not drained in " + seconds(drain_took) + "; ";
    const std::size_t left = counts.running + counts.pending;
    text += *this ? "stopped in " + seconds(stop_took)
                  : fmt::format("stopped, but {} task{} on after {}", left, left == 1 ? " runs" : "s run",
                                seconds(stop_took));
  }
  const std::string ends = detail::describe_ends(counts);
  if (!ends.empty()) text += ": " + ends;
  if (slowest_stop) text += detail::describe_slow_stop(*slowest_stop);
  text = detail::escaped(text);
  for (const TaskLeft& left : ran_over)
    text += fmt::format("\n  {}: {}", detail::escaped(left.path), detail::escaped(left.task.str()));
  for (const CallLeft& left : left_behind) {
    text += "\n  " + detail::escaped("call '" + left.name + "', " + detail::describe_abandoned(left.call));
  }
  return text;
}

ShutdownReport ThreadGroup::shut_down(ShutdownPlan plan, SourceLocation where) {
  core_->check_process("shut_down");
  detail::refuse_own_group(*core_);
  detail::Stages stages;
  stages.top = core_;
  stages.plan = plan;
  stages.reason = detail::reason_from_here(ReasonKind::requested, "shut down", where);
  stages.callers_event = detail::event_of_caller();
  return detail::shut_down(std::move(stages), no_hurry);
}

ShutdownReport ThreadEventsController::shut_down(ShutdownPlan plan, SourceLocation where) {
  if (detail::waits_for_caller(nullptr)) {
    throw std::system_error(
        std::make_error_code(std::errc::resource_deadlock_would_occur),
        detail::escaped(detail::label_of_callers_task()) +
            " shuts down all groups, and would wait for itself; call it outside of any task");
  }
  detail::Stages stages;
  stages.plan = plan;
  stages.reason = detail::reason_from_here(ReasonKind::requested, "shut down", where);
  stages.reason.origin_path = thread_utils::current_path();
  return detail::shut_down(std::move(stages), no_hurry);
}

SignalShutdown::SignalShutdown(ShutdownPlan plan, std::initializer_list<int> signals)
    : watch_(detail::SignalWatch::start(plan, signals)) {}
SignalShutdown::~SignalShutdown() { watch_->close(); }
int SignalShutdown::signal() const noexcept { return watch_->signal(); }
std::optional<ShutdownReport> SignalShutdown::report() const { return watch_->report(); }
ShutdownReport SignalShutdown::wait() { return watch_->wait_for_report(); }

}  // namespace v0
}  // namespace tg
