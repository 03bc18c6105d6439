// SPDX-License-Identifier: Apache-2.0
// Runs of registered functions.
#pragma once

#include <vector>

#include <threadgroup/results.hpp>
#include <threadgroup/task_handle.hpp>
#include <threadgroup/thread_group.hpp>

#include "group/registry.hpp"
#include "pool/pool.hpp"

namespace tg::inline v0::detail {

/// Starts one of them as a task.
TaskHandle<Value> start_registered(ThreadGroup& group, RegisteredCall& call);

/// Starts all of them and waits, until the group's counts show it, too, or the event is set. If one cannot be
/// started (no memory, no thread), throws after those before it have ended.
ResultList run_registered(ThreadGroup& group, Pool& pool, std::vector<RegisteredCall> calls, Event* event);

}  // namespace tg::inline v0::detail
