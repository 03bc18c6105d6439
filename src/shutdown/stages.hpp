// SPDX-License-Identifier: Apache-2.0
// The stages of a shutdown.
#pragma once

#include <string>

#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/shutdown.hpp>

#include "event/event.hpp"
#include "tree/node.hpp"

namespace tg::inline v0::detail {

/// What is to be shut down, and how.
struct Stages {
  Node* top = nullptr;             // null: all groups
  ShutdownPlan plan;               //
  Reason reason;                   // of the stop, without the origin
  Event* callers_event = nullptr;  // ends the drain
};

/// Drains, stops and reports. `hurry` ends the drain when it is true; the flow that makes it true unparks the
/// caller. Returns when no task is left, or `plan.drain` and `plan.stop` have passed.
ShutdownReport shut_down(Stages stages, FunctionRef<bool()> hurry);

}  // namespace tg::inline v0::detail
