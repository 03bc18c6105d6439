// SPDX-License-Identifier: Apache-2.0
// The group, the wait for a condition, and the stop that reaches everything below.
#include "story.hpp"

#include <utility>

#include "duration.hpp"

namespace verify_users {

// Each task makes a group of its own for its checks, which becomes a child of this one.
std::vector<tg::TaskHandle<Verified>> add_users(tg::ThreadGroup& group, Verification& verification,
                                                const std::vector<std::string>& users) {
  std::vector<tg::TaskHandle<Verified>> tasks;
  for (const std::string& user : users) {
    tasks.push_back(group.add_task(tg::TaskName{user}, [&] { return verification.verify(user); }));
  }
  return tasks;
}

bool enough_are_verified(const Verification& verification, const Options& options) {
  return verification.verified() >= options.need;
}

// When the condition is true, everything else is stopped: sleeping tasks wake, tasks that wait for an answer
// give up, and pending tasks never begin. Ctrl-C does the same.
Ending wait_for_enough(tg::ThreadGroup& group, const Verification& verification, const Options& options,
                       std::vector<tg::TaskHandle<Verified>> tasks) {
  const auto enough = [&] { return enough_are_verified(verification, options); };
  const tg::WaitStatus status = group.wait_for_condition(enough, options.timeout);
  if (status == tg::WaitStatus::timed_out) {
    group.set_event(tg::ReasonKind::deadline, "no time left after " + format_duration(options.timeout));
  }

  Ending ending{.needed = options.need,
                .tasks = std::move(tasks),
                .stopped = tg::ThreadEventsController::instance().snapshot()};
  (void)group.wait_idle();  // the failures are in the handles, and the summary shows them
  ending.ended = tg::now();
  ending.counts = group.statistics();
  ending.reason = group.reason();
  return ending;
}

}  // namespace verify_users
