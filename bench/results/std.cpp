// SPDX-License-Identifier: Apache-2.0
// The same functions with std::async, which makes a thread for each, and their futures.
#include <functional>
#include <future>

#include "work.hpp"

void bench::run(const Options& options) {
  const ResultsSize size(options);
  const std::vector<std::function<int()>> functions(static_cast<std::size_t>(size.tasks), [] { return 1; });
  time_results(size, [&] {
    std::vector<std::future<int>> futures;
    futures.reserve(functions.size());
    for (const auto& function : functions) futures.push_back(std::async(std::launch::async, function));
    std::int64_t sum = 0;
    for (auto& future : futures) sum += future.get();
    return sum;
  });
}
