// SPDX-License-Identifier: Apache-2.0
// The verification of one user: its checks at the same time in a group of their own, and retries when the
// service is unavailable.
#include "verification.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <threadgroup/threadgroup.hpp>

#include "duration.hpp"

namespace verify_users {

Verified Verification::verify(const std::string& user) {
  const tg::TimePoint start = tg::now();
  // Made inside a task, so it is a child of the task's group: an event of that group stops these checks.
  tg::ThreadGroup checks("checks of " + user, {.max_concurrent_threads = kChecks.size()});
  for (std::size_t tries = 1;; ++tries) {
    std::string problem;
    try {
      ask_everything(user, checks);
      ++verified_;
      journal_.say(fmt::format("{} is verified", user));
      return {user, tries, (tg::now() - start).to_chrono()};
    } catch (const Unavailable& error) {
      problem = error.what();
    } catch (const tg::Stopped&) {
      throw;  // a stop, which needs no report
    } catch (const std::runtime_error& error) {
      journal_.say(fmt::format("{} failed: {}", user, error.what()));
      throw;
    }

    if (tries > patience_.retries) {
      problem += fmt::format(", {} tries", tries);
      journal_.say(fmt::format("{} failed: {}", user, problem));
      throw Unavailable(problem);
    }
    journal_.say(fmt::format("{} waits {}: {}", user, format_duration(patience_.pause), problem));
    if (!tg::thread_utils::event_aware_sleep(patience_.pause)) {
      throw Interrupted(fmt::format("interrupted before try {}", tries + 1));
    }
  }
}

void Verification::ask_everything(const std::string& user, tg::ThreadGroup& checks) const {
  std::vector<tg::TaskHandle<Answer>> answers;
  for (const Check check : kChecks) {
    answers.push_back(checks.add_task(tg::TaskName{std::string(name_of(check))},
                                      [this, &user, check] { return ask_(user, check); }));
  }
  (void)checks.wait_idle();  // what failed is in the handles

  std::vector<std::string> objections;
  for (const auto& handle : answers) {
    if (handle.status() == tg::TaskStatus::skipped) throw Interrupted("interrupted before its checks");
    const Answer answer = handle.get();
    const bool is_new = std::ranges::find(objections, answer.detail) == objections.end();
    if (!answer.ok && is_new) objections.push_back(answer.detail);
  }
  if (!objections.empty()) throw Refused(fmt::format("{}", fmt::join(objections, ", ")));
}

}  // namespace verify_users
