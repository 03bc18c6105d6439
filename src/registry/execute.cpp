// SPDX-License-Identifier: Apache-2.0
// Running functions without a group of the caller's.
#include <threadgroup/execute.hpp>

#include <stdexcept>
#include <utility>

namespace tg {
inline namespace v0 {

ResultList threaded_execution_results(std::vector<Function> functions, std::size_t max_workers) {
  if (max_workers == 0) {
    throw std::invalid_argument(
        "threaded_execution: max_workers is 0, so nothing could ever run; give at least 1");
  }
  ThreadGroup group("threaded_execution", {.max_concurrent_threads = max_workers});
  for (Function& function : functions) group.register_function(std::move(function));
  return group.execute_results();
}

ResultList threaded_execution(std::vector<Function> functions, std::size_t max_workers) {
  ResultList results = threaded_execution_results(std::move(functions), max_workers);
  detail::throw_function_failures("threaded_execution", results.failures(), results);
  return results;
}

}  // namespace v0
}  // namespace tg
