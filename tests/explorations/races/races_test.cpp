// SPDX-License-Identifier: Apache-2.0
// That a race in watched code is found, and that memory which is used again makes none.
#include <memory>

#include "explorations/explore.hpp"
#include "unsynchronized.hpp"

namespace tg::test {
namespace races_test {
namespace {

using detail::Atomic;

template <std::memory_order kOrder>
void pass_message() {
  int data = 0;
  Atomic<bool> sent{false};
  together({{"sends",
             [&] {
               write_watched(data, 1);
               sent.store(true, kOrder);
             }},
            {"receives", [&] {
               if (sent.load(std::memory_order_acquire))
                 require(read_watched(data) == 1, "the data has come");
             }}});
}

TEST(RacesTest, race_in_watched_code_is_found) {
  expect_failure(
      [] {
        weak_memory();
        pass_message<std::memory_order_relaxed>();
      },
      "data race: flow 2 (sends) writes");
}

TG_WEAK_EXPLORATION(RacesExploration, released_data_does_not_race) {
  pass_message<std::memory_order_release>();
}

// The heap orders what it gives to one flow after another, and the simulator does not see that.
TG_WEAK_EXPLORATION(RacesExploration, memory_from_the_heap_is_new) {
  const auto use = [] { write_watched(*std::make_unique<int>(0), 1); };
  together({{"first", use}, {"second", use}});
}

}  // namespace
}  // namespace races_test
}  // namespace tg::test
