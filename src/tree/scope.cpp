// SPDX-License-Identifier: Apache-2.0
// Entering and leaving scopes, and calls at a stop.
#include <threadgroup/scope.hpp>

#include <exception>

#include "base/planted.hpp"
#include "base/report.hpp"
#include "event/event.hpp"
#include "event/wait_note.hpp"
#include "runtime/flow.hpp"
#include "runtime/fork.hpp"
#include "tree/call_registration.hpp"
#include "tree/forest.hpp"
#include "tree/scope_entry.hpp"
#include "tree/scope_node.hpp"

namespace tg {
inline namespace v0 {

// --- On the flow ---

namespace detail {

namespace {
[[noreturn]] void refuse(const Node& node, const std::string& what) {
  report_line({"scope '", node.shown_name(), "' ", what});
  std::terminate();
}
}  // namespace

Scope::Scope(Node& node)
    : node_(&node),
      flow_(&runtime::Flow::current()),
      outer_(flow_->scope),
      outer_event_(flow_->event),
      fork_generation_(runtime::fork_generation()) {
  flow_->scope = this;
  flow_->event = &node.event();
}

bool Scope::leave() noexcept {
  if (is_of_parent()) return false;
  const runtime::Flow* const here = runtime::Flow::current_if_any();
  if (here != flow_) {
    refuse(*node_, "was destroyed on another thread than the one that made it: " +
                       (here != nullptr ? here->os_label() : "one that is no part of the library"));
  }
  if (flow_->scope != this) {
    refuse(*node_,
           flow_->scope == nullptr
               ? "was destroyed in a task that did not make it"
               : "was destroyed before '" + flow_->scope->node().shown_name() +
                     "', which was made inside it: destroy scopes in the reverse order of their making");
  }
  flow_->scope = outer_;
  flow_->event = outer_event_;
  if (flow_->call_registration != nullptr) flow_->call_registration->end_if_covered_by(*node_);
  return true;
}

void Scope::end_task_with_open(const Scope& open, const std::string& task, const Node& group) noexcept {
  refuse(*open.node_, "is still open at the end of task '" + task + "' of group '" + group.shown_name() +
                          "': a scope ends before the task that made it");
}

Node* group_of_caller() noexcept {
  const runtime::Flow* const flow = runtime::Flow::current_if_any();
  if (flow == nullptr) return nullptr;
  for (const Scope* scope = flow->scope; scope != nullptr; scope = scope->outer()) {
    if (!scope->node().has_no_tasks()) return &scope->node();
  }
  return flow->task != nullptr ? flow->task->node : nullptr;
}

Node* call_of_caller() noexcept {
  const runtime::Flow* const flow = runtime::Flow::current_if_any();
  if (flow == nullptr || flow->task != nullptr) return nullptr;
  for (const Scope* scope = flow->scope; scope != nullptr; scope = scope->outer()) {
    if (scope->node().kind() == NodeKind::call) return &scope->node();
  }
  return nullptr;
}

Node* busy_node_of_caller() noexcept {
  if (const TaskContext* const task = TaskContext::current()) return task->node;
  Node* const call = call_of_caller();
  return call != nullptr && call->is_awaited_by_task() ? call : nullptr;
}

bool task_waits_for_calls_of_caller() noexcept {
  if (busy_node_of_caller() == nullptr) return false;
  const Scope* scope = runtime::Flow::current().scope;
  while (scope != nullptr && scope->node().has_no_tasks() && scope->node().kind() != NodeKind::call)
    scope = scope->outer();
  return scope == nullptr || scope->node().kind() == NodeKind::call;  // else it is attached to a group
}

}  // namespace detail

// --- Scopes ---

StopScope::StopScope(Duration time_limit, std::string name)
    : Scope(detail::ScopeNode::make(std::move(name), time_limit)),
      scope_(static_cast<detail::ScopeNode&>(node())) {}

StopScope::StopScope(std::string name)
    : Scope(detail::ScopeNode::make(std::move(name), std::nullopt)),
      scope_(static_cast<detail::ScopeNode&>(node())) {}

StopScope::~StopScope() {
  if (leave()) scope_.end();
}

bool StopScope::set_event(std::string message, SourceLocation where) {
  if (is_of_parent()) return false;
  return detail::Forest::instance().set_event(
      scope_, detail::reason_from_here(ReasonKind::requested, std::move(message), where));
}

bool StopScope::event_is_set() const noexcept { return scope_.event().is_set(); }

bool StopScope::timed_out() const noexcept {
  const detail::ReasonPointer reason = scope_.event().reason();
  return reason && reason->kind == ReasonKind::deadline && reason->origin == scope_.id();
}

std::optional<Reason> StopScope::reason() const {
  const detail::ReasonPointer reason = scope_.event().reason();
  if (!reason) return std::nullopt;
  return *reason;
}

std::stop_token StopScope::get_stop_token() const {
  return is_of_parent() ? std::stop_token() : scope_.stop_token();
}

// --- Shields ---

Shield::Shield(Duration grace, std::string name)
    : Scope(detail::ShieldNode::make(std::move(name), grace)),
      shield_(static_cast<detail::ShieldNode&>(node())) {}

Shield::~Shield() {
  if (leave()) shield_.end();
}

// --- Calls at a stop ---

void OnStop::begin() {
  detail::Node* const node = detail::innermost_node_of_caller();
  if (node == nullptr) return;
  const bool is_linked = node->stop_source()->add(*this, node->event());
  node->add_reference();
  covered_by_ = node;
  if (!is_linked) call();
}

void OnStop::call() noexcept {
  bool is_gone = false;
  is_gone_ = &is_gone;
  caller_.store(&runtime::Flow::current(), std::memory_order_relaxed);
  function_();
  if (is_gone) return;
  // The object may be gone after this step, but a flow's memory never is.
  void* const waiting = meeting_.exchange(this, TG_ORDER(acq_rel, on_stop_publishes_nothing, relaxed));
  if (waiting != nullptr) static_cast<runtime::Flow*>(waiting)->unpark();
}

OnStop::~OnStop() {
  if (covered_by_ == nullptr || fork_generation_ != runtime::fork_generation()) return;
  if (!covered_by_->stop_source()->remove(*this)) wait_for_end_of_call();
  covered_by_->release();
}

void OnStop::wait_for_end_of_call() noexcept {
  if (TG_PLANTED(on_stop_does_not_wait) || meeting_.load(std::memory_order_acquire) == this) return;
  runtime::Flow& me = runtime::Flow::current();
  if (caller_.load(std::memory_order_relaxed) == &me) {  // the function destroys the object
    *is_gone_ = true;
    return;
  }
  void* expected = nullptr;
  if (!meeting_.compare_exchange_strong(expected, &me, std::memory_order_acq_rel, std::memory_order_acquire))
    return;
  const detail::WaitNote note("the end of a function that OnStop has called");
  while (meeting_.load(std::memory_order_acquire) != this) me.park_until(TimePoint::never());
}

}  // namespace v0
}  // namespace tg
