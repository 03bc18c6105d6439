// SPDX-License-Identifier: Apache-2.0
// Draining, stopping, reporting.
#include "shutdown/stages.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/snapshot.hpp>

#include "base/planted.hpp"
#include "event/wait.hpp"
#include "event/wait_note.hpp"
#include "runtime/steady_clock.hpp"
#include "tree/draining.hpp"
#include "tree/forest.hpp"

namespace tg::inline v0::detail {

namespace {

// The groups, and what they had done before.
class Groups {
 public:
  explicit Groups(Node* top) : top_(top), groups_(top) {
    groups_.look();
    before_ = sum();
  }
  const std::vector<Node*>& look() {
    groups_.look();
    return groups_.nodes();
  }
  // How the tasks have ended since then, and how many are left that were not left behind.
  GroupStatistics counts() const {
    GroupStatistics counts = sum();
    counts.succeeded -= before_.succeeded;
    counts.failed -= before_.failed;
    counts.stopped -= before_.stopped;
    counts.skipped -= before_.skipped;
    return counts;
  }
  std::optional<StopLatency> slowest_stop() const {
    std::optional<StopLatency> slowest;
    for (const Node* node : groups_.nodes()) {
      std::optional<StopLatency> stop = node->stop_latency();
      if (stop && (!slowest || slowest->time < stop->time)) slowest = std::move(stop);
    }
    return slowest;
  }
  // Children first: while the tasks of a group wait for those of the groups below it, they cannot end. False if
  // the time is up, or `or_else` or an event has ended the wait.
  bool wait_until_quiet(FunctionRef<bool()> or_else, const WatchedEvents& events, TimePoint deadline) {
    const WaitNote note("groups that are shut down");
    while (!Forest::instance().is_quiet(top_)) {
      if (or_else() || runtime::now() >= deadline) return false;
      for (Node* node : look()) {
        const auto or_over = [&] { return or_else() || Forest::instance().is_left_behind(*node, top_); };
        const WaitOutcome outcome = node->wait_until_idle(or_over, events, deadline);
        if (outcome == WaitOutcome::event_set) return false;
        if (outcome == WaitOutcome::timed_out) return Forest::instance().is_quiet(top_);
      }
    }
    return true;
  }

 private:
  GroupStatistics sum() const {
    GroupStatistics sum;
    for (const Node* node : groups_.nodes()) {
      const GroupStatistics counts = node->statistics();
      if (!Forest::instance().is_left_behind(*node, top_)) {
        sum.pending += counts.pending;
        sum.running += counts.running;
      }
      sum.succeeded += counts.succeeded;
      sum.failed += counts.failed;
      sum.stopped += counts.stopped;
      sum.skipped += counts.skipped;
    }
    return sum;
  }

  Node* const top_;
  Subtree groups_;
  GroupStatistics before_;
};

// The tasks that run over, unless all is quiet, and the calls that were abandoned.
void note_what_is_left(const Node* top, bool quiet, ShutdownReport& report) {
  const ForestSnapshot forest = Forest::instance().snapshot();
  std::vector<std::string> path;  // by depth
  std::size_t inside = 0;         // the depth of `top`, plus one, while the nodes are below it
  std::size_t abandoned = 0;      // likewise of an abandoned call
  for (const NodeSnapshot& node : forest.nodes) {
    path.resize(node.depth);
    path.push_back(node.depth == 0 ? node.name : path.back() + "/" + node.name);
    if (top != nullptr) {
      if (inside != 0 && node.depth < inside) inside = 0;
      if (node.id == top->id()) inside = node.depth + 1;
      if (inside == 0) continue;
    }
    if (node.depth < abandoned) abandoned = 0;
    if (node.abandoned) {
      report.left_behind.push_back({node.name, *node.abandoned});
      if (abandoned == 0) abandoned = node.depth + 1;
    }
    if (quiet || abandoned != 0) continue;
    for (const RunningTask& task : node.running) report.ran_over.push_back({path.back(), task});
  }
  std::stable_sort(report.ran_over.begin(), report.ran_over.end(),
                   [](const auto& a, const auto& b) { return a.task.running_for > b.task.running_for; });
}

ReasonPointer draining_reason(const Stages& stages) {
  Reason reason = stages.reason;
  reason.kind = ReasonKind::draining;
  if (stages.top != nullptr) {
    reason.origin = stages.top->id();
    reason.origin_path = Forest::instance().path(*stages.top);
  }
  reason.when = runtime::now();
  return ReasonPointer::adopt(new SharedReason(std::move(reason)));
}

}  // namespace

ShutdownReport shut_down(Stages stages, FunctionRef<bool()> hurry) {
  ShutdownReport report;
  Forest& forest = Forest::instance();
  Groups groups(stages.top);
  const TimePoint began = runtime::now();
  if (stages.plan.drain > Duration()) {
    forest.begin_draining(stages.top, draining_reason(stages));
    Event* const event = stages.top != nullptr ? &stages.top->event() : nullptr;
    report.drained =
        groups.wait_until_quiet(hurry, {event, stages.callers_event}, runtime::after(stages.plan.drain)) &&
        (event == nullptr || !event->is_set());
  }
  const TimePoint stopped = runtime::now();
  report.drain_took = stopped - began;
  if (stages.top != nullptr) forest.set_event(*stages.top, std::move(stages.reason));
  else forest.set_all_events(std::move(stages.reason));
  const bool quiet = groups.wait_until_quiet([] { return false; }, {}, runtime::after(stages.plan.stop));
  report.stop_took = runtime::now() - stopped;
  groups.look();
  report.counts = groups.counts();
  // What others add now is counted, and is being skipped by them: it is not left.
  if (quiet) report.counts.skipped += std::exchange(report.counts.pending, 0);
  report.slowest_stop = groups.slowest_stop();
  note_what_is_left(stages.top, quiet, report);
  return report;
}

}  // namespace tg::inline v0::detail
