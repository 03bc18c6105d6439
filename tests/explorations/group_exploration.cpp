// SPDX-License-Identifier: Apache-2.0
// Tasks with handles: claims, and pending tasks that are cleared.
#include <threadgroup/errors.hpp>
#include <threadgroup/thread_group.hpp>

#include "explorations/explore.hpp"

namespace tg::test {
namespace {

// A task waits for one that it added, which another flow may take out to skip it (P7).
TG_EXPLORATION(GroupExploration, a_claim_meets_a_clear) {
  ThreadGroup group("group", {.max_concurrent_threads = 1});
  int runs = 0;
  bool was_skipped = false;
  auto outer = group.add_task([&] {
    auto inner = group.add_task([&] { return ++runs; });
    try {
      return inner.get();
    } catch (const TaskSkipped&) {
      was_skipped = true;
      return 1;
    }
  });
  together({{"clears", [&] { group.clear_pending(); }}, {"waits", [&] {
                                                           try {
                                                             require(outer.get() == 1,
                                                                     "the inner task ran once");
                                                           } catch (const TaskSkipped&) {
                                                             was_skipped = true;
                                                           }
                                                         }}});
  group.join();
  require(runs + (was_skipped ? 1 : 0) == 1, "the inner task ran or was skipped");
}
TG_FINDS(GroupExploration, a_claim_meets_a_clear, pool_claims_what_is_taken, 5000)

}  // namespace
}  // namespace tg::test
