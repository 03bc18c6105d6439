// SPDX-License-Identifier: Apache-2.0
// Lookups whose system calls are those of the interposer, and stops in the middle of them.
#include <threadgroup/resolve.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <latch>

#include <threadgroup/threadgroup.hpp>

#include "base/spin.hpp"
#include "posix/name_server.hpp"
#if TG_USE_CARES
#include "posix/ares_lookup.hpp"
#endif

namespace tg::test {
namespace resolve_test {
namespace {

// The calls of c-ares fail in a stopped task, and c-ares reports that as a failure of the name server.
TEST(InterposedLookup, is_stopped_at_random_moments) {
#if TG_USE_CARES
  NameServer server;
  server.be_silent();
  constexpr int kTasks = 4;
  for (int round = 0; round < 250; ++round) {
    ThreadGroup group("group");
    std::latch running(kTasks);
    for (int i = 0; i < kTasks; ++i) {
      group.post([&] {
        running.count_down();
        detail::look_up_by_ares("printer.test", "80", {}, server.address());
      });
    }
    running.wait();
    for (int spins = 2'000 * (round % 50); spins > 0; --spins) detail::relax();
    group.set_event("enough");
    const JoinResult joined = group.join();
    ASSERT_EQ(joined.counts.stopped, static_cast<std::uint64_t>(kTasks))
        << joined.failures.size() << " failures";
  }
#else
  GTEST_SKIP() << "the library is built without c-ares";
#endif
}

}  // namespace
}  // namespace resolve_test
}  // namespace tg::test
