// SPDX-License-Identifier: Apache-2.0
// Running functions together without a group, and a macro that registers a function under its own name.
#pragma once

#include <cstddef>
#include <vector>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/function.hpp>
#include <threadgroup/results.hpp>
#include <threadgroup/thread_group.hpp>

/// Registers a function under its own name: `auto f1 = TG_REGISTER(group, f1, 42);`
#define TG_REGISTER(group, function, ...) \
  (group).register_function(#function, function __VA_OPT__(, ) __VA_ARGS__)

namespace tg {
inline namespace v0 {

/// Runs the functions, at most `max_workers` at a time, and returns their results in the same order.
///
///     std::vector<tg::Function> functions;
///     for (int value : values) functions.push_back(tg::create_function("f1", f1, value));
///     std::cout << tg::threaded_execution(functions);
///
/// It waits for all of them. If any failed, it then throws `FunctionFailures`, which also holds the results
/// of the others. It obeys the event of the caller's scope or group: functions that have not started are
/// skipped, and the results say so. Throws `std::invalid_argument` if `max_workers` is 0.
TG_EXPORT ResultList threaded_execution(std::vector<Function> functions, std::size_t max_workers = 32);

/// As `threaded_execution`, but failures are in the results and are not thrown.
TG_EXPORT ResultList threaded_execution_results(std::vector<Function> functions,
                                                std::size_t max_workers = 32);

}  // namespace v0
}  // namespace tg
