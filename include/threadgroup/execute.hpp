// SPDX-License-Identifier: Apache-2.0
// Running functions without a group of one's own, and a macro that saves typing a name twice.
#pragma once

#include <cstddef>
#include <vector>

#include <threadgroup/function.hpp>
#include <threadgroup/results.hpp>
#include <threadgroup/thread_group.hpp>

/// Registers a function under its own name: `auto f1 = TG_REGISTER(group, f1, 42);`
#define TG_REGISTER(group, function, ...) \
  (group).register_function(#function, function __VA_OPT__(, ) __VA_ARGS__)

namespace tg {

/// Runs the functions at the same time, at most so many at once, and returns their results in order.
///
///     std::vector<tg::Function> functions;
///     for (int value : values) functions.push_back(tg::create_function("f1", f1, value));
///     std::cout << tg::threaded_execution(functions);
///
/// It waits for all; then, if any failed, throws `FunctionFailures`, which holds the results of the others,
/// too. In a task it obeys the event of the task's group: what had not started is skipped, and the results
/// say so. Throws `std::invalid_argument` if `max_workers` is 0.
ResultList threaded_execution(std::vector<Function> functions, std::size_t max_workers = 32);

/// The same, but failures are in the results and not thrown.
ResultList threaded_execution_results(std::vector<Function> functions, std::size_t max_workers = 32);

}  // namespace tg
