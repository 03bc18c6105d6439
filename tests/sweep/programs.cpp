// SPDX-License-Identifier: Apache-2.0
// Each program ends by itself if nothing is lost, whatever failed in it once.
#include "sweep/programs.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#if TG_SWEEP_WITH_FILES
#include "sweep/json_programs.hpp"
#endif

namespace tg::test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

void handles(Ledger& ledger) {
  ThreadGroup group("handles", {.max_concurrent_threads = 2});
  const Settled settled(ledger, group);
  auto one = ledger.add(group, [] { return 1; });
  auto two = ledger.add(group, [] { return std::string("a text that is too long to be stored in place"); });
  auto three = ledger.add(group, [] { return std::vector<int>{1, 2, 3}; });
  if (one.get() != 1 || two.take().size() < 10 || three.view().size() != 3)
    ledger.violation("a wrong result");
  if (one.name() != "task 1") ledger.violation("a wrong name");
}

void posts(Ledger& ledger) {
  ThreadGroup group("posts", {.max_concurrent_threads = 3});
  const Settled settled(ledger, group);
  for (int i = 0; i < 20; ++i) ledger.post(group, [] {});
  static_cast<void>(group.join());
}

void failures(Ledger& ledger) {
  ThreadGroup group("failures", {.max_concurrent_threads = 2});
  const Settled settled(ledger, group);
  auto seen = ledger.add(group, []() -> int { throw Expected(); });
  for (int i = 0; i < 3; ++i) ledger.post(group, [] { throw Expected(); });
  try {
    seen.get();
    ledger.violation("no exception");
  } catch (const Expected&) {
  }
  try {
    static_cast<void>(group.join());
  } catch (...) {
    ledger.judge(std::current_exception());
  }
}

void tree(Ledger& ledger) {
  ThreadGroup group("tree", {.max_concurrent_threads = 2});
  const Settled settled(ledger, group);
  for (int i = 0; i < 2; ++i) {
    ledger.post(group, [&ledger] {
      ThreadGroup below("below");
      const Settled below_settled(ledger, below);
      ledger.post(below, [] {});
      ledger.add(below, [] { return 1; }).get();
      static_cast<void>(below.join());
    });
  }
  static_cast<void>(group.join());
}

void tasks_that_wait(Ledger& ledger) {
  ThreadGroup group("waiting", {.max_concurrent_threads = 1});
  const Settled settled(ledger, group);
  auto outer = ledger.add(group, [&] {
    auto first = ledger.add(group, [] { return 1; });
    auto second = ledger.add(group, [] { return 2; });
    return second.get() + first.get();
  });
  if (outer.get() != 3) ledger.violation("a wrong result");
}

void stop(Ledger& ledger) {
  std::atomic<bool> slept_in_full = false;
  std::atomic<int> told = 0;
  ThreadGroup group("stop", {.max_concurrent_threads = 1});
  const Settled settled(ledger, group);
  ledger.post(group, [&] { slept_in_full = event_aware_sleep(1h); });
  auto skipped = ledger.add(group, [] { return 1; });
  const std::stop_token token = group.get_stop_token();
  const std::stop_callback callback(token, [&] { ++told; });
  while (!group.event_is_set()) {
    try {
      group.set_event("enough");
    } catch (const std::bad_alloc&) {  // not set: again
    }
  }
  for (const Failure& failure : group.wait_idle().failures) ledger.judge(failure.exception);
  if (told != 1 || slept_in_full) ledger.violation("the stop did not arrive");
}

void stop_at_first_failure(Ledger& ledger) {
  ThreadGroup group("first failure", {.max_concurrent_threads = 2, .on_failure = OnFailure::set_event});
  const Settled settled(ledger, group);
  ledger.post(group, [] { event_aware_sleep(1h); });  // ends only if the failure sets the event
  ledger.post(group, [] { throw Expected(); });
}

void time_limit(Ledger& ledger) {
  ThreadGroup group("limit", {.time_limit = 1ms});
  const Settled settled(ledger, group);
  ledger.post(group, [] { event_aware_sleep(1h); });  // ends only if the limit is kept
}

void condition(Ledger& ledger) {
  std::atomic<int> found = 0;
  ThreadGroup group("condition", {.max_concurrent_threads = 2});
  const Settled settled(ledger, group);
  for (int i = 0; i < 3; ++i) ledger.post(group, [&] { ++found; });
  switch (group.wait_for_condition([&] { return found == 3; }, 60s)) {
    case WaitStatus::condition_met:
      if (!group.event_is_set()) ledger.violation("met, but not set");
      return;
    case WaitStatus::group_idle:
      if (!Faults::has_struck()) ledger.violation("idle");
      return;
    default:
      ledger.violation("neither met nor idle");
  }
}

void registered_functions(Ledger& ledger) {
  ThreadGroup group("registered", {.max_concurrent_threads = 2});
  group.register_function(
      "twice", [](int x) { return 2 * x; }, 21);
  group.register_function("fails", []() -> int { throw Expected(); });
  try {
    group.execute();
  } catch (...) {
    ledger.judge(std::current_exception());
  }
  group.update_fn_args("twice", 4);
  const ResultList results = group.execute_results();
  if (results.size() != 2) ledger.violation("a result is missing");
  for (auto& result : group.as_completed()) static_cast<void>(result.str());
}

void together(Ledger& ledger) {
  ThreadGroup group("together", {.max_concurrent_threads = 2});
  if (map(group, std::vector{1, 2, 3}, [](int x) { return x * x; }) != std::vector{1, 4, 9})
    ledger.violation("a wrong result of map");
  const int won = first_of([] { return 1; }, [] { return 1; });
  if (won != 1) ledger.violation("a wrong winner");
  int tries = 0;
  auto again = with_retries(
      [&tries] {
        if (++tries == 1) throw Expected();
        return tries;
      },
      {.max_tries = 3, .first_delay = 1us});
  if (group.add_task(std::move(again)).get() < 2) ledger.violation("not tried again");
}

void completion_order(Ledger& ledger) {
  ThreadGroup group("order", {.max_concurrent_threads = 2});
  const Settled settled(ledger, group);
  std::vector<TaskHandle<int>> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(ledger.add(group, [i] { return i; }));
  int sum = 0;
  for (auto& task : as_completed(std::move(tasks))) sum += task.get();
  if (sum != 6) ledger.violation("a wrong sum");
}

// More than fail in one run of a program.
constexpr int kMostFailures = 12;

struct Keys {
  Key<std::string> text{"text"};
  Key<std::size_t> length{"length"};
  Key<std::string> report{"report"};
};

void vault(Ledger& ledger) {
  const Keys keys;
  Vault vault("vault", keys, {.permit_modification = true});
  ThreadGroup group("work", {.max_concurrent_threads = 2});
  const auto declare = [&] {
    vault.automatic(group, "measure", inputs(keys.text), outputs(keys.length),
                    [](const std::string& text) { return text.size(); });
  };
  bool declared = false;
  const std::string long_text(100, 'x');
  bool inserted = false;
  try {
    declare();
    declared = true;
    vault.insert(keys.text, long_text);
    inserted = true;
  } catch (...) {
    ledger.judge(std::current_exception());
  }
  auto bound = vault.bind(inputs(keys.length), outputs(keys.report),
                          [](std::size_t n) { return std::string("a length of ") + std::to_string(n); });
  for (const Failure& failure : group.wait_idle().failures) ledger.judge(failure.exception);
  if (inserted && vault.get(keys.text) != long_text) ledger.violation("a wrong value");
  if (vault.contains(keys.length)) {
    bound();
    if (vault.get(keys.report) != "a length of 100") ledger.violation("a wrong report");
  } else if (!Faults::has_struck()) {
    ledger.violation("the automatic did not run");
  }
  static_cast<void>(vault.explain());
  // What failed can be done again. Each try that goes wrong has used up one of the failures to come.
  const Spared spared;
  if (!declared) declare();
  for (int tries = 0; tries < kMostFailures; ++tries) {
    try {
      vault.insert(keys.text, "again");
    } catch (...) {
      ledger.judge(std::current_exception());
    }
    // Whatever became of the run, the wait ends.
    static_cast<void>(vault.wait_for(keys.length));
    for (const Failure& failure : group.wait_idle().failures) ledger.judge(failure.exception);
    if (vault.contains(keys.length) && vault.get(keys.length) == 5) return;
  }
  ledger.violation("the automatic does not run any more");
}

// The waits end, whatever else fails.
void failing_automatic(Ledger& ledger) {
  const Keys keys;
  Vault vault("vault", keys, {.permit_modification = true});
  ThreadGroup group("work", {.max_concurrent_threads = 2});
  vault.automatic(group, "measure", inputs(keys.text), outputs(keys.length),
                  [](const std::string&) -> std::size_t { throw Expected(); });
  const auto bound = vault.bind(inputs(keys.length), outputs(keys.report),
                                [](std::size_t) -> std::string { throw Expected(); });
  try {
    vault.insert(keys.text, std::string(100, 'x'));
  } catch (...) {
    ledger.judge(std::current_exception());
  }
  for (const Failure& failure : group.wait_idle().failures) ledger.judge(failure.exception);
  const Spared spared;
  if (vault.contains(keys.text) && vault.wait_for(keys.length) != KeyWait::producer_failed)
    ledger.violation("the automatic has not failed");
  vault.insert(keys.length, std::size_t{1});
  try {
    bound();
    ledger.violation("no exception");
  } catch (...) {
    ledger.judge(std::current_exception());
  }
  if (vault.wait_for(keys.report) != KeyWait::producer_failed)
    ledger.violation("the bound function has not failed");
}

void looking(Ledger& ledger) {
  ThreadGroup group("looking", {.max_concurrent_threads = 2});
  const Settled settled(ledger, group);
  ThreadGroup daemon("daemon", {.daemon = true});
  const Settled daemon_settled(ledger, daemon);
  ledger.post(group, [] { static_cast<void>(to_text(ThreadEventsController::instance().snapshot())); });
  ledger.post(daemon, [] { static_cast<void>(thread_utils::current_path()); });
  const ForestSnapshot shot = ThreadEventsController::instance().snapshot();
  if (shot.find("looking") == nullptr || shot.find("daemon") == nullptr)
    ledger.violation("a group is missing");
}

void progress(Ledger& ledger) {
  std::atomic<int> looks = 0;
  ThreadGroup group("progress", {.max_concurrent_threads = 2});
  const Settled settled(ledger, group);
  {
    const ProgressReporter reporter(group, [&](const Progress&) { ++looks; });
    for (int i = 0; i < 3; ++i) ledger.post(group, [] {});
    for (const Failure& failure : group.wait_idle().failures) ledger.judge(failure.exception);
  }
  if (looks == 0 && !Faults::has_struck()) ledger.violation("no progress was reported");
}

}  // namespace

const std::vector<Program>& programs() {
  static const std::vector<Program> all {
    {"handles", handles}, {"posts", posts}, {"failures", failures}, {"tree", tree},
        {"tasks_that_wait", tasks_that_wait}, {"stop", stop},
        {"stop_at_first_failure", stop_at_first_failure}, {"time_limit", time_limit},
        {"condition", condition}, {"registered_functions", registered_functions}, {"together", together},
        {"completion_order", completion_order}, {"vault", vault}, {"failing_automatic", failing_automatic},
        {"looking", looking}, {"progress", progress},
#if TG_SWEEP_WITH_FILES
        {"file_written", file_written}, {"file_batched", file_batched}, {"file_followed", file_followed},
#endif
  };
  return all;
}

}  // namespace tg::test
