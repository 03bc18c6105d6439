// SPDX-License-Identifier: Apache-2.0
// The programs that the library was written for, each with what must hold in every schedule.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <threadgroup/sim.hpp>
#include <threadgroup/threadgroup.hpp>

namespace tg {
namespace seeds_test {
namespace {

using namespace std::chrono_literals;
using thread_utils::event_aware_sleep;

// --- Verifying users: retries with a sleep between them, until one user is verified ---

struct UserVerificationException : std::runtime_error {
  UserVerificationException() : std::runtime_error("the service is unavailable") {}
};

// Counts the tasks that verify at the same time.
class Verifying {
 public:
  explicit Verifying(std::size_t& count, std::size_t& most) : count_(count) {
    most = std::max(most, ++count);
  }
  ~Verifying() { --count_; }
  Verifying(const Verifying&) = delete;
  Verifying& operator=(const Verifying&) = delete;

 private:
  std::size_t& count_;
};

// The service answers after up to a second, and mostly that it is unavailable. Tasks of a simulation run one at
// a time, and another one continues only at a call of the library: what they share needs no lock.
struct Users {
  std::vector<int> valid;
  std::size_t verifying = 0;
  std::size_t most = 0;
  std::size_t interrupted = 0;
  std::size_t given_up = 0;

  void ask(int user) {
    if (!event_aware_sleep(std::chrono::milliseconds(sim::random() % 1000)) || sim::random() % 6 != 0)
      throw UserVerificationException();
    valid.push_back(user);
  }
  void verify(int user) {
    const Verifying verifying_now(verifying, most);
    for (int retries = 3; retries > 0; --retries) {
      try {
        return ask(user);
      } catch (const UserVerificationException&) {
        if (!event_aware_sleep(5s)) {
          ++interrupted;
          return;
        }
      }
    }
    ++given_up;
  }
};

TG_SIM_TEST(Seeds, first_valid_user_ends_the_verification_of_the_others, .schedules = 1000) {
  constexpr int kUsers = 25;
  Users users;
  ThreadGroup group("Verifying Users", {.max_concurrent_threads = 10});
  for (int user = 0; user < kUsers; ++user) group.add_task([&users, user] { users.verify(user); });

  const WaitStatus status = group.wait_for_condition([&] { return !users.valid.empty(); }, 600s);
  const TimePoint stopped = now();
  const JoinResult joined = group.join(600s);

  EXPECT_TRUE(joined) << joined.str();
  EXPECT_EQ(now() - stopped, Duration()) << "a task slept on after the event";
  EXPECT_EQ(status, users.valid.empty() ? WaitStatus::group_idle : WaitStatus::condition_met);
  EXPECT_EQ(group.event_is_set(), !users.valid.empty());
  EXPECT_LE(users.most, 10U);
  EXPECT_EQ(users.verifying, 0U);
  const std::size_t ran = users.valid.size() + users.interrupted + users.given_up;
  EXPECT_EQ(joined.counts.succeeded, ran);
  EXPECT_EQ(joined.counts.skipped, kUsers - ran) << "a pending task began after the event";
}

TG_SIM_TEST(Seeds, service_that_is_down_is_tried_for_as_long_as_the_join_waits, .schedules = 300) {
  std::size_t interrupted = 0;
  ThreadGroup group("Verifying Users", {.max_concurrent_threads = 10});
  const TimePoint start = now();
  for (int user = 0; user < 20; ++user)
    group.post([&] {
      while (event_aware_sleep(5s)) {
      }
      ++interrupted;
    });
  EXPECT_TRUE(group.join(600s).timed_out);
  EXPECT_EQ(now() - start, Duration(600s));
  group.set_event();
  EXPECT_TRUE(group.join(600s));
  EXPECT_EQ(now() - start, Duration(600s));
  EXPECT_EQ(interrupted, 10U);
}

TG_SIM_TEST(Seeds, with_retries_makes_as_many_tries_as_it_may, .schedules = 500) {
  int tries = 0;
  const auto ask = [&tries](int user) {
    ++tries;
    if (sim::random() % 4 != 0) throw UserVerificationException();
    return user;
  };
  ThreadGroup group("Verifying Users", {.max_concurrent_threads = 4});
  std::vector<TaskHandle<int>> tasks;
  for (int user = 0; user < 8; ++user)
    tasks.push_back(group.add_task(with_retries(ask, {.max_tries = 3, .first_delay = 5s}), user));
  const JoinResult joined = group.wait_idle();
  EXPECT_GE(tries, 8);
  EXPECT_LE(tries, 24);
  EXPECT_EQ(joined.counts.succeeded + joined.failures.size(), 8U);
  for (int user = 0; user < 8; ++user) {
    const TaskHandle<int>& task = tasks[static_cast<std::size_t>(user)];
    if (task.status() == TaskStatus::succeeded) EXPECT_EQ(task.get(), user);
    else EXPECT_THROW(task.get(), UserVerificationException);
  }
}

// --- The tree of events ---

TG_SIM_TEST(Seeds, event_of_a_group_reaches_all_groups_below_and_no_other, .schedules = 1000) {
  std::size_t stopped = 0;
  std::size_t slept = 0;
  const auto worker = [&] { event_aware_sleep(1h) ? ++slept : ++stopped; };
  const auto worker_method = [&] {
    ThreadGroup group_2_1("ThreadGroup2.1");
    ThreadGroup group_2_2("ThreadGroup2.2");
    ThreadGroup group_2_3("ThreadGroup2.3");
    for (ThreadGroup* const group : {&group_2_1, &group_2_2, &group_2_3}) {
      EXPECT_TRUE(group->path().starts_with("MainThread/ThreadGroup2/ThreadGroup2.")) << group->path();
      group->post(worker);
      group->post(worker);
    }
    for (ThreadGroup* const group : {&group_2_1, &group_2_2, &group_2_3}) {
      EXPECT_TRUE(group->join());
      EXPECT_TRUE(group->event_is_set());
      EXPECT_EQ(group->reason()->origin_path, "MainThread/ThreadGroup2");
    }
    // Those that the event found before they began were skipped.
    for (ThreadGroup* const group : {&group_2_1, &group_2_2, &group_2_3})
      stopped += group->statistics().skipped;
  };
  const TimePoint start = now();
  ThreadGroup group_1("ThreadGroup1");
  ThreadGroup group_2("ThreadGroup2");
  group_1.post(worker);
  const auto made = group_2.add_task(worker_method);
  if (sim::random() % 2 == 0) event_aware_sleep(10min);
  group_2.set_event_for_child_tasks();
  EXPECT_TRUE(group_2.join());
  EXPECT_LE(now() - start, Duration(10min));
  EXPECT_EQ(stopped, made.status() == TaskStatus::skipped ? 0U : 6U);
  EXPECT_FALSE(group_1.event_is_set());
  EXPECT_TRUE(group_1.join());
  EXPECT_EQ(slept, 1U);
  EXPECT_EQ(now() - start, Duration(1h));
}

TG_SIM_TEST(Seeds, daemon_groups_talk_to_each_other_in_a_tree_of_their_own, .schedules = 1000) {
  std::unique_ptr<ThreadGroup> daemon;
  bool was_stopped_early = false;
  {
    ThreadGroup maker("Maker");
    const auto made = maker.add_task([&] {
      daemon = std::make_unique<ThreadGroup>("Daemon", GroupOptions{.daemon = true});
      daemon->post([&] {
        ThreadGroup below("Below");
        EXPECT_EQ(below.path(), "Daemon/Below");
        below.post([&] { was_stopped_early = !event_aware_sleep(1h); });
        EXPECT_TRUE(below.join());
      });
    });
    static_cast<void>(made.wait());
    maker.set_event("the program closes");
    EXPECT_FALSE(daemon->event_is_set());
  }
  event_aware_sleep(30min);
  EXPECT_FALSE(daemon->event_is_set());
  const bool stops_it = sim::random() % 2 == 0;
  if (stops_it) daemon->set_event();
  EXPECT_TRUE(daemon->join());
  EXPECT_EQ(was_stopped_early, stops_it);
}

// --- Registered functions ---

TG_SIM_TEST(Seeds, registered_functions_run_together_and_give_their_results_in_order, .schedules = 1000) {
  ThreadGroup first("first");
  ThreadGroup second("second");
  const auto nap = [] { event_aware_sleep(std::chrono::milliseconds(sim::random() % 100)); };
  first.register_function(
      "f1", [&](int a1) { return nap(), a1; }, 1);
  first.register_function(
      "f2", [&](int a2) { return nap(), a2; }, 2);
  first.register_function(
      "f3", [&](int a1, bool kw1) { return nap(), std::tuple(a1, kw1); }, 1, true);
  second.register_function("s1", [&] { nap(); });
  const TimePoint start = now();
  EXPECT_EQ(first.execute().str(),
            "[(function=f1; result=1), (function=f2; result=2), (function=f3; result=(1, true))]");
  EXPECT_LT(now() - start, Duration(100ms)) << "the functions did not run at the same time";
  EXPECT_TRUE(first.executed());
  EXPECT_FALSE(second.executed());
  second.execute();
  EXPECT_TRUE(second.executed());
}

TG_SIM_TEST(Seeds, same_function_runs_with_many_arguments, .schedules = 1000) {
  const auto f1 = [](int a1) {
    event_aware_sleep(std::chrono::milliseconds(sim::random() % 100));
    return a1;
  };
  std::vector<Function> functions;
  for (int value = 1; value <= 5; ++value) functions.push_back(create_function("f1", f1, value));
  const std::size_t workers = 1 + sim::random() % 5;
  EXPECT_EQ(
      threaded_execution(functions, workers).str(),
      "[(function=f1; result=1), (function=f1; result=2), (function=f1; result=3), (function=f1; result=4), "
      "(function=f1; result=5)]");
}

// --- The vault ---

struct Keyring {
  Key<std::string> k1{"k1"};
  Key<int> k2{"k2"};
  Key<double> k3{"k3"};
  Key<std::string> report{"report"};
};

TG_SIM_TEST(Seeds, vault_carries_values_from_the_functions_of_a_group_to_those_of_the_next,
            .schedules = 1000) {
  const Keyring keys;
  Vault vault("vault", {keys.k1, keys.k2, keys.k3});
  const auto nap = [] { event_aware_sleep(500ms); };
  ThreadGroup init("init");
  ThreadGroup use("use");
  init.register_function("set_k1", vault.bind(outputs(keys.k1), [&] { return nap(), "valid"; }));
  init.register_function("set_k2", vault.bind(outputs(keys.k2), [&] { return nap(), 1; }));
  init.register_function("set_k3", vault.bind(outputs(keys.k3), [&] { return nap(), 3.14; }));
  use.register_function("use_k1",
                        vault.bind(inputs(keys.k1), [&](const std::string& k1) { return nap(), k1; }));
  use.register_function("use_k2", vault.bind(inputs(keys.k2), [&](int k2) { return nap(), k2; }));
  use.register_function("use_k3", vault.bind(inputs(keys.k3), [&](double k3) { return nap(), k3; }));

  const TimePoint start = now();
  init.execute();
  EXPECT_EQ(now() - start, Duration(500ms));
  EXPECT_EQ(vault.get_all(keys.k1, keys.k2, keys.k3), std::tuple(std::string("valid"), 1, 3.14));
  EXPECT_TRUE(init.executed());
  EXPECT_FALSE(use.executed());
  use.execute();
  EXPECT_EQ(now() - start, Duration(1000ms));
  EXPECT_EQ(use.get_results().str(),
            "[(function=use_k1; result=valid), (function=use_k2; result=1), (function=use_k3; result=3.14)]");
}

TG_SIM_TEST(Seeds, automatics_order_themselves_and_run_once, .schedules = 1000) {
  const Keyring keys;
  Vault vault("vault", {keys.k1, keys.k2, keys.k3, keys.report});
  ThreadGroup group("flow", {.max_concurrent_threads = 3});
  const auto nap = [] { event_aware_sleep(std::chrono::milliseconds(sim::random() % 100)); };
  int reports = 0;
  // Declared back to front: the order does not matter.
  vault.automatic(group, inputs(keys.k1, keys.k2, keys.k3), outputs(keys.report),
                  [&](const std::string& k1, int k2, double k3) {
                    ++reports;
                    return k1 + " " + std::to_string(k2) + " " + std::to_string(k3 > 3);
                  });
  vault.automatic(group, inputs(keys.k2), outputs(keys.k3), [&](int k2) { return nap(), k2 * 3.14; });
  vault.automatic(group, inputs(keys.k1), outputs(keys.k2), [&](const std::string&) { return nap(), 1; });
  const auto waits = group.add_task([&] { return vault.wait_for(keys.report) == KeyWait::present; });
  vault.insert(keys.k1, "valid");
  EXPECT_TRUE(group.join());
  EXPECT_TRUE(waits.get());
  EXPECT_EQ(reports, 1);
  EXPECT_EQ(vault.get(keys.report), "valid 1 1");
}

TG_SIM_TEST(Seeds, stopped_flow_wakes_the_waiters_for_its_values, .schedules = 1000) {
  const Keyring keys;
  Vault vault("vault", {keys.k1, keys.k2, keys.k3, keys.report});
  ThreadGroup flow("flow");
  ThreadGroup readers("readers");
  vault.automatic(flow, inputs(keys.k1), outputs(keys.k2), [&](const std::string&) {
    if (!event_aware_sleep(1h)) thread_utils::throw_if_event_set();
    return 1;
  });
  vault.insert(keys.k1, "valid");
  const TimePoint start = now();
  const auto reader = readers.add_task([&] { return vault.wait_for(keys.k2, 2h); });
  if (sim::random() % 2 == 0) event_aware_sleep(1min);
  const bool stops = sim::random() % 2 == 0;
  if (stops) flow.set_event();
  EXPECT_EQ(reader.get() == KeyWait::present, !stops);
  EXPECT_LE(now() - start, stops ? Duration(1min) : Duration(1h));
  static_cast<void>(flow.wait_idle());
}

}  // namespace
}  // namespace seeds_test
}  // namespace tg
