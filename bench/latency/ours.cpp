// SPDX-License-Identifier: Apache-2.0
// A task in event_aware_sleep, which ends at once when the event of its group is set.
#include <threadgroup/threadgroup.hpp>

#include <optional>

#include "work.hpp"

void bench::run(const Options& options) {
  using namespace std::chrono_literals;
  std::optional<tg::ThreadGroup> group;
  time_wakeups(
      options,
      [&](Round& round) {
        group.emplace("latency");
        group->post([&round] {
          round.sign_in();
          tg::thread_utils::event_aware_sleep(600s);
          round.sign_awake();
        });
      },
      [&] { group->set_event("wake up"); }, [&] { group.reset(); });
}
