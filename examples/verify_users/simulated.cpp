// SPDX-License-Identifier: Apache-2.0
// The simulated service, and the day.
#include "simulated.hpp"

#include <map>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

#include "account_file.hpp"
#include "accounts.hpp"
#include "duration.hpp"
#include "journal.hpp"
#include "moods.hpp"
#include "story.hpp"
#include "styled_line.hpp"
#include "tree_picture.hpp"

namespace verify_users {
namespace {

using namespace std::chrono_literals;
using tg::thread_utils::event_aware_sleep;
using Question = std::pair<std::string, Check>;
using Answers = std::map<Question, Answer>;

// Accounts are looked up before the simulation, which does no real input.
Answers look_up_all(const Options& options, const std::vector<std::string>& users) {
  const LookUp accounts = options.accounts_file ? accounts_of(*options.accounts_file) : look_up;
  Answers answers;
  for (const std::string& user : users)
    for (const Check check : kChecks) answers[{user, check}] = accounts(user, check);
  return answers;
}

// In place of client and service. It needs no lock, because flows of a simulation continue only where one waits.
class SimulatedService {
 public:
  SimulatedService(const Options& options, const Answers& answers) : options_(options), answers_(answers) {}

  Answer ask(const std::string& user, Check check) {
    const std::string key = user + '/' + std::string(name_of(check));
    const Mood mood = mood_for(options_.service, key, ++attempts_[key]);
    const bool is_late = mood.latency > options_.request_timeout;
    if (!event_aware_sleep(is_late ? options_.request_timeout : mood.latency))
      throw Interrupted("interrupted while waiting for the answer");
    if (is_late) throw Unavailable("no answer from the service");
    if (mood.unavailable) throw Unavailable("the service answered 503");
    return answers_.at({user, check});
  }

 private:
  const Options& options_;
  const Answers& answers_;
  std::map<std::string, std::uint64_t> attempts_;  // by user and check
};

class Day {
 public:
  Day(const Options& options, const std::vector<std::string>& users, const Answers& answers)
      : options_(options), users_(users), service_(options, answers) {}

  std::string pass() {
    const tg::TimePoint midnight = tg::now();
    for (int hour = 0; hour < 24; ++hour) {
      event_aware_sleep(midnight + tg::Duration(1h * hour) - tg::now());
      verify(hour);
    }
    event_aware_sleep(midnight + tg::Duration(24h) - tg::now());
    return text_ + "24:00  the day is over; the last hour:\n" + last_;
  }

 private:
  void verify(int hour) {
    Journal journal(Journal::Lines::kept);
    const tg::TimePoint start = tg::now();
    Verification verification(
        [this](const std::string& user, Check check) { return service_.ask(user, check); },
        {options_.retries, options_.retry_pause}, journal);
    tg::ThreadGroup group("Verifying Users", {.max_concurrent_threads = options_.max});
    auto tasks = add_users(group, verification, users_);
    if (hour % 8 == 0) show_tree(hour);
    Ending ending = wait_for_enough(group, verification, options_, std::move(tasks));
    text_ += fmt::format("{:02}:00  {} verified, {} failed, {} stopped, {} skipped, after {}\n", hour,
                         verification.verified(), ending.counts.failed, ending.counts.stopped,
                         ending.counts.skipped, format_duration((ending.ended - start).to_chrono()));
    if (hour == 23) last_ = summarize(ending);
  }

  // A second after the users were added.
  void show_tree(int hour) {
    event_aware_sleep(1s);
    text_ += fmt::format("{:02}:00:01\n", hour);
    constexpr std::size_t kLines = 12;
    constexpr std::size_t kColumns = 100;
    const tg::ForestSnapshot forest = tg::ThreadEventsController::instance().snapshot();
    for (const StyledLine& line : draw_tree(forest, {.lines = kLines, .columns = kColumns}, false))
      text_ += "       " + line.render(kColumns, false) + '\n';
  }

  const Options& options_;
  const std::vector<std::string>& users_;
  SimulatedService service_;
  std::string text_;
  std::string last_;  // the summary
};

}  // namespace

std::string simulated_day(const Options& options, const std::vector<std::string>& users) {
  const Answers answers = look_up_all(options, users);
  std::string text;
  // One schedule. It is run twice, and both have to be the same.
  const tg::sim::Report report =
      tg::sim::explore({.schedules = 1}, [&] { text = Day(options, users, answers).pass(); });
  if (report.failure) throw std::runtime_error(report.str());
  return text;
}

}  // namespace verify_users
