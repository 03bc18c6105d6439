// SPDX-License-Identifier: Apache-2.0
// The random program on threads. tests/simulation runs it in simulated time.
#include "stress/random_program.hpp"

#include <thread>

#include <gtest/gtest.h>

#include "runtime/faults.hpp"
#include "stress/support.hpp"

namespace tg::stress {
namespace random_program_test {
namespace {

void run_on_threads(const std::vector<std::function<void()>>& functions) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i + 1 < functions.size(); ++i) threads.emplace_back(functions[i]);
  functions.back()();
  for (std::thread& thread : threads) thread.join();
}

void run_program(std::uint64_t seed, bool threads_may_fail) {
  const Surroundings surroundings{.steps = rounds(12000),
                                  .threads_may_fail = threads_may_fail,
                                  .run_together = run_on_threads,
                                  .pause = [] { std::this_thread::yield(); },
                                  .refuse_threads = runtime::faults::refuse_threads};
  for (const std::string& complaint : run_random_program(seed, surroundings))
    ADD_FAILURE() << complaint << " (seed " << seed << ")";
}

TEST(RandomProgram, adds_up_and_leaves_an_empty_forest) { run_program(choose_seed(), false); }

TEST(RandomProgram, adds_up_when_threads_cannot_always_be_made) { run_program(choose_seed(), true); }

}  // namespace
}  // namespace random_program_test
}  // namespace tg::stress
