// SPDX-License-Identifier: Apache-2.0
// The graph of the waits, and its cycles.
#include "simulation/picture.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <threadgroup/snapshot.hpp>

#include "base/escaped.hpp"
#include "event/wait_note.hpp"
#include "runtime/flow.hpp"
#include "simulation/simulation.hpp"
#include "tree/counts_text.hpp"
#include "tree/task_context.hpp"
#include "tree/wait_graph.hpp"

namespace tg::inline v0::sim {

namespace {

using detail::RecordedWait;
using detail::TaskContext;

// Each is compared with each other one, and more would not be read.
constexpr std::size_t kMostWaiters = 200;

struct Waiter {
  std::string name;   // "flow 2 (task 'a' of group 'g')"
  std::string waits;  // "waits for task 'b' of group 'g'"
  const runtime::Flow* flow = nullptr;
  std::vector<std::size_t> could_be_ended_by;  // places in the list
};

std::string task_of(const runtime::Flow* flow) {
  const TaskContext* const task = flow != nullptr ? flow->task : nullptr;
  if (task == nullptr || task->task == nullptr) return {};
  return fmt::format("task '{}' of group '{}'", detail::escaped(task->task_name()),
                     detail::escaped(task->node->name()));
}

std::string name_of(const Scheduler::LivingFlow& one) {
  std::string name = fmt::format("flow {}", one.number);
  if (const std::string task = task_of(one.flow); !task.empty()) {
    name += " (" + task + ")";
  } else if (!one.name.empty()) {
    name += fmt::format(" ({})", detail::escaped(one.name));
  }
  return name;
}

// A thread of the library that waits for work.
bool is_idle_thread(const Waiter& one) {
  return one.flow == nullptr || (one.flow->task == nullptr && one.flow->wait_note == nullptr);
}

std::vector<Waiter> first_waiters(const std::vector<Scheduler::LivingFlow>& flows) {
  std::vector<Waiter> all;
  for (const Scheduler::LivingFlow& one : flows) {
    if (all.size() == kMostWaiters) break;
    Waiter& waiter = all.emplace_back();
    waiter.name = name_of(one);
    waiter.flow = one.flow;
    const detail::WaitNote* const note = one.flow != nullptr ? one.flow->wait_note : nullptr;
    waiter.waits = one.can_run ? "can run" : note != nullptr ? "waits for " + note->text() : "waits";
  }
  for (Waiter& waiter : all) {
    const RecordedWait* const wait = waiter.flow != nullptr ? RecordedWait::of(*waiter.flow) : nullptr;
    if (wait == nullptr) continue;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const TaskContext* const task = all[i].flow != nullptr ? all[i].flow->task : nullptr;
      if (task != nullptr && wait->target().could_be_ended_by(*task)) waiter.could_be_ended_by.push_back(i);
    }
  }
  return all;
}

// The places of the flows in a cycle through `first`; empty if there is none.
std::vector<std::size_t> cycle_through(std::size_t first, const std::vector<Waiter>& all) {
  std::vector<std::size_t> path{first};
  std::vector<std::size_t> next{0};
  std::vector<bool> seen(all.size(), false);
  seen[first] = true;
  while (!path.empty()) {
    const std::vector<std::size_t>& others = all[path.back()].could_be_ended_by;
    if (next.back() == others.size()) {
      path.pop_back();
      next.pop_back();
      continue;
    }
    const std::size_t other = others[next.back()++];
    if (other == first) return path;
    if (seen[other]) continue;
    seen[other] = true;
    path.push_back(other);
    next.push_back(0);
  }
  return {};
}

}  // namespace

std::string picture_of_waits(const Simulation& simulation) {
  const std::vector<Scheduler::LivingFlow> flows = simulation.living_flows();
  const std::vector<Waiter> all = first_waiters(flows);
  std::vector<bool> shown(all.size(), false);
  std::string text;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (shown[i]) continue;
    const std::vector<std::size_t> cycle = cycle_through(i, all);
    if (cycle.empty()) continue;
    text += "  cycle:\n";
    for (const std::size_t place : cycle) {
      text += fmt::format("    {} {}\n", all[place].name, all[place].waits);
      shown[place] = true;
    }
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (shown[i] || is_idle_thread(all[i])) continue;
    text += fmt::format("  {} {}", all[i].name, all[i].waits);
    for (std::size_t k = 0; k < all[i].could_be_ended_by.size(); ++k)
      text += (k == 0 ? "; could be ended by " : ", ") + all[all[i].could_be_ended_by[k]].name;
    text += '\n';
  }
  if (flows.size() > all.size()) text += fmt::format("  and {} flows more\n", flows.size() - all.size());
  return text;
}

std::string what_caller_waits_for() {
  const runtime::Flow* const flow = runtime::Flow::current_if_any();
  if (flow != nullptr && flow->wait_note != nullptr) return "waits for " + flow->wait_note->text();
  return flow != nullptr && flow->task != nullptr ? "waits" : "is idle";
}

std::string what_caller_runs() { return task_of(runtime::Flow::current_if_any()); }

std::string groups_left() {
  std::string paths;
  for (const NodeSnapshot& node : ThreadEventsController::instance().snapshot().nodes) {
    if (node.kind == NodeKind::main_thread || node.kind == NodeKind::foreign_thread) continue;
    if (!paths.empty()) paths += ", ";
    if (node.kind == NodeKind::call) paths += "call ";
    paths += "'" + detail::escaped(node.name) + "'";
    if (node.abandoned) paths += " (" + detail::escaped(detail::describe_abandoned(*node.abandoned)) + ")";
  }
  return paths;
}

}  // namespace tg::inline v0::sim
