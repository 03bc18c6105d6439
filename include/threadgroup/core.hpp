// SPDX-License-Identifier: Apache-2.0
// All of the library but the vault: groups, handles, the forest, and the calls that tasks make.
#pragma once

#include <threadgroup/as_completed.hpp>
#include <threadgroup/attached.hpp>
#include <threadgroup/barrier.hpp>
#include <threadgroup/channel.hpp>
#include <threadgroup/clock.hpp>
#include <threadgroup/condition.hpp>
#include <threadgroup/condition_variable.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/errors.hpp>
#include <threadgroup/every.hpp>
#include <threadgroup/execute.hpp>
#include <threadgroup/function.hpp>
#include <threadgroup/join_result.hpp>
#include <threadgroup/latch.hpp>
#include <threadgroup/map.hpp>
#include <threadgroup/mutex.hpp>
#include <threadgroup/options.hpp>
#include <threadgroup/outcomes.hpp>
#include <threadgroup/print.hpp>
#include <threadgroup/progress.hpp>
#include <threadgroup/rate_limiter.hpp>
#include <threadgroup/reason.hpp>
#include <threadgroup/results.hpp>
#include <threadgroup/retry.hpp>
#include <threadgroup/scope.hpp>
#include <threadgroup/select.hpp>
#include <threadgroup/semaphore.hpp>
#include <threadgroup/snapshot.hpp>
#include <threadgroup/source_location.hpp>
#include <threadgroup/statistics.hpp>
#include <threadgroup/task_handle.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/thread_utils.hpp>
#include <threadgroup/version.hpp>
