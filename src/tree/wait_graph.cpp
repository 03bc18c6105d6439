// SPDX-License-Identifier: Apache-2.0
// A wait from its beginning to its end, and the waits that are refused without a search.
#include "tree/wait_graph.hpp"

#include <new>
#include <system_error>

#include "base/escaped.hpp"
#include "base/report.hpp"
#include "event/callers_task.hpp"
#include "tree/forest.hpp"
#include "tree/path_text.hpp"
#include "tree/recorded_waits.hpp"
#include "tree/scope_entry.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

namespace {

[[noreturn]] void throw_deadlock(const std::string& path) {
  throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur), path);
}

}  // namespace

void RecordedWait::note_events(const TaskContext& caller) noexcept {
  const Node* const innermost = innermost_node_of_caller();
  for (const Event* event : events_) {
    if (event == nullptr) continue;
    const bool is_own = innermost != nullptr && event == &innermost->event();
    if (is_own) scopes_ = runtime::Flow::current().scope;
    is_time_limited_ = is_time_limited_ || (is_own ? *innermost : *caller.node).is_time_limited();
  }
}

// Whether one of the events is set by itself some day. A grace may have begun after the wait.
bool RecordedWait::stops_by_itself() const noexcept {
  for (const Scope* scope = scopes_; scope != nullptr; scope = scope->outer()) {
    if (scope->node().is_in_grace()) return true;
  }
  return is_time_limited_;
}

void look_at_wait(const TaskContext& task, TimePoint now, RunningTask& seen) {
  const runtime::WaitWord::State wait = task.wait_word.read();
  if (wait.what == nullptr) return;
  const TimePoint since = TimePoint::from_nanos(wait.since);
  if (wait.since != 0 && since < now) seen.waiting_for = now - since;
  seen.waits_for = WaitGraph::instance().text_of(task);
  if (!seen.waits_for.empty()) return;
  seen.waits_for = wait.what;
  if (wait.descriptor >= 0) seen.waits_for += " on descriptor " + std::to_string(wait.descriptor);
}

std::vector<std::string> describe_deadlocks() {
  std::deque<PathText> cycles;
  WaitGraph::instance().describe_cycles(cycles);
  std::vector<std::string> texts;
  texts.reserve(cycles.size());
  for (const PathText& cycle : cycles) texts.push_back(cycle.str());
  return texts;
}

void RecordedWait::record(TaskContext& caller, OnCycle on_cycle) {
  PathText path;
  const bool report = on_cycle == OnCycle::report;
  if (!WaitGraph::instance().record(*this, caller, report, path)) return;
  if (!report) throw_deadlock(path.str());
  try {
    report_line({"deadlock: ", path.str()});
  } catch (const std::bad_alloc&) {
    report_line({"deadlock, and no memory to say which tasks wait"});
  }
}

void RecordedWait::take_out() noexcept {
  if (!is_of_parent()) return WaitGraph::instance().remove(*this);
  waiter_ = nullptr;  // a task that a join ran has forked: the graph of the child is empty
}

void throw_own_task(const TaskContext& caller, const AwaitedTask& task) {
  PathText path;
  path.add_task_of(caller);
  path.add(" waits for ");
  if (caller.task == task.task) {
    path.add("itself");
  } else {
    path.add_task(task.name());
    path.add(", which waits for it");
  }
  throw_deadlock(path.str());
}

bool is_part_of(const TaskContext* caller, const Node& group) {
  return caller != nullptr && Forest::instance().is_same_or_descendant(*caller->node, group);
}

bool waits_for_caller(const Node* top) {
  const Node* const busy = busy_node_of_caller();
  return busy != nullptr && Forest::instance().is_awaited(*busy, top);
}

void refuse_own_group(const Node& group) {
  if (!waits_for_caller(&group)) return;
  throw_deadlock(escaped(label_of_callers_task()) + " waits for group '" +
                 escaped(Forest::instance().path(group)) + "', which cannot end before this " +
                 (call_of_caller() != nullptr ? "call" : "task"));
}

}  // namespace tg::inline v0::detail
