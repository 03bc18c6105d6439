// SPDX-License-Identifier: Apache-2.0
// What a task asks of its own group.
#include <threadgroup/thread_utils.hpp>

#include <threadgroup/detail/shared_reason.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/outcomes.hpp>

#include "event/callers_task.hpp"
#include "event/wait.hpp"
#include "event/wait_note.hpp"
#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "tree/forest.hpp"
#include "tree/scope_entry.hpp"
#include "tree/task_context.hpp"

namespace tg {
inline namespace v0 {

namespace thread_utils {

bool event_aware_sleep(Duration d) {
  // A loop may call this in each round to look at the event; the clock would be most of the cost.
  if (d <= Duration()) return !event_is_set();
  const detail::WaitNote note("a time (event_aware_sleep)");
  return detail::wait({detail::event_of_caller(), nullptr}, runtime::after(d)) == WaitOutcome::timed_out;
}

bool event_is_set() noexcept {
  const detail::Event* const event = detail::event_of_caller();
  return detail::is_set(event);
}

bool is_draining() noexcept {
  const detail::Node* const node = detail::innermost_node_of_caller();
  return node != nullptr && node->event().is_draining();
}

void throw_if_event_set() {
  const detail::Event* const event = detail::event_of_caller();
  if (event == nullptr || !event->is_set()) return;
  const detail::TaskContext* const task = detail::TaskContext::current();
  const std::string who =
      task != nullptr && task->task != nullptr ? "task '" + task->task_name() + "'" : "this call";
  detail::ReasonPointer reason = event->reason();
  throw Stopped(who + " was stopped: " + reason->str(), reason);
}

std::stop_token stop_token() {
  detail::Node* const node = detail::innermost_node_of_caller();
  return node != nullptr ? node->stop_token() : std::stop_token();
}

bool set_event(std::string message, SourceLocation where) {
  detail::Node* const group = detail::group_of_caller();
  if (group == nullptr) {
    throw NoGroupError(
        "thread_utils::set_event: this thread runs no task of a group; call set_event on the ThreadGroup "
        "that you mean");
  }
  return detail::Forest::instance().set_event(
      *group, detail::reason_from_here(ReasonKind::requested, std::move(message), where));
}

std::optional<Reason> reason() {
  const detail::Event* const event = detail::event_of_caller();
  if (event == nullptr) return std::nullopt;
  const detail::ReasonPointer reason = event->reason();
  if (!reason) return std::nullopt;
  return *reason;
}

void note(std::string text) {
  detail::TaskContext* const task = detail::TaskContext::current();
  if (task != nullptr && task->task != nullptr) task->note.set(std::move(text));
}

void set_all_events(std::string message, SourceLocation where) {
  Reason reason = detail::reason_from_here(ReasonKind::requested, std::move(message), where);
  reason.origin_path = current_path();
  detail::Forest::instance().set_all_events(std::move(reason));
}

std::string current_path() {
  const detail::Node* const node = detail::innermost_node_of_caller();
  if (node != nullptr) return detail::Forest::instance().path(*node);
  const runtime::Flow& flow = runtime::Flow::current();
  return flow.is_main() ? "MainThread" : flow.os_label();
}

}  // namespace thread_utils
}  // namespace v0
}  // namespace tg
