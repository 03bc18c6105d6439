// SPDX-License-Identifier: Apache-2.0
// A wait for a key that no function will store any more ends and says so.
#include "support.hpp"

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <vector>

#include <threadgroup/errors.hpp>
#include <threadgroup/map.hpp>
#include <threadgroup/retry.hpp>
#include <threadgroup/thread_group.hpp>
#include <threadgroup/vault.hpp>

namespace producer_test {
namespace {

using namespace std::chrono_literals;
using tg::KeyWait;
using tg::test::error_of;

const tg::Key<int> a{"a"};
const tg::Key<int> b{"b"};
const tg::Key<int> c{"c"};
const tg::Key<int> d{"d"};
const tg::KeyList kKeys{a, b, c, d};

int fails() { throw std::runtime_error("out of ink"); }
int fails_too(int) { throw std::runtime_error("out of paper"); }
int twice(int i) { return 2 * i; }
std::optional<int> nothing() { return std::nullopt; }

TEST(Producer, a_wait_ends_when_the_only_function_known_to_store_the_key_has_failed) {
  for (int round = 0; round < 50; ++round) {
    tg::Vault vault("v", kKeys);
    tg::ThreadGroup group("g");
    std::binary_semaphore go(0);
    const auto task = group.add_task(vault.bind("print", tg::outputs(a), [&] {
      go.acquire();
      return fails();
    }));
    std::jthread releases([&] { go.release(); });
    EXPECT_EQ(vault.wait_for(a), KeyWait::producer_failed);
    EXPECT_EQ(vault.wait_for(a), KeyWait::producer_failed);  // no less the next time
    EXPECT_HAS(error_of<tg::MissingKeyError>([&] { static_cast<void>(vault.get(a)); }),
               "'print', which failed: out of ink");
    EXPECT_THROW(task.get(), std::runtime_error);
  }
}

TEST(Producer, the_outcome_has_a_name) {
  EXPECT_STREQ(tg::to_string(KeyWait::producer_failed), "producer_failed");
}

TEST(Producer, a_posted_function_and_one_that_is_called_plainly_count_as_well) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  group.post(vault.bind(tg::outputs(a), fails));
  EXPECT_EQ(vault.wait_for(a), KeyWait::producer_failed);
  EXPECT_EQ(group.wait_idle().failures.size(), 1U);
  const auto plain = vault.bind(tg::outputs(b), fails);
  EXPECT_EQ(vault.wait_for(b, 0s), KeyWait::timed_out);  // it may yet be called
  EXPECT_THROW(plain(), std::runtime_error);
  EXPECT_EQ(vault.wait_for(b), KeyWait::producer_failed);
}

TEST(Producer, a_task_that_is_skipped_does_not_store_its_key) {
  tg::Vault vault("v", kKeys);
  std::binary_semaphore running(0);
  std::binary_semaphore go(0);
  tg::ThreadGroup group("g", {.max_concurrent_threads = 1});
  group.post([&] {
    running.release();
    go.acquire();
  });
  running.acquire();
  const auto task = group.add_task(vault.bind(tg::outputs(a), [] { return 1; }));
  EXPECT_EQ(vault.wait_for(a, 0s), KeyWait::timed_out);
  std::jthread stops([&] { group.set_event(); });
  EXPECT_EQ(vault.wait_for(a), KeyWait::producer_failed);
  static_cast<void>(task.wait());  // the vault learns of it a moment before the handle does
  EXPECT_EQ(task.status(), tg::TaskStatus::skipped);
  go.release();
  const auto late = group.add_task(vault.bind(tg::outputs(b), [] { return 1; }));
  EXPECT_EQ(vault.wait_for(b), KeyWait::producer_failed);
}

TEST(Producer, a_task_that_is_stopped_does_not_store_its_key) {
  tg::Vault vault("v", kKeys);
  std::binary_semaphore running(0);
  tg::ThreadGroup group("g");
  const auto task = group.add_task(vault.bind(tg::outputs(a), [&]() -> int {
    running.release();
    if (vault.wait_for(d) == KeyWait::event_set) throw tg::Stopped("stopped", *group.reason());
    return 1;
  }));
  running.acquire();
  group.set_event();
  EXPECT_EQ(vault.wait_for(a), KeyWait::producer_failed);
  static_cast<void>(task.wait());
  EXPECT_EQ(task.status(), tg::TaskStatus::stopped);
}

TEST(Producer, as_long_as_another_known_function_is_at_work_the_wait_goes_on) {
  tg::Vault vault("v", kKeys);
  std::binary_semaphore go(0);
  tg::ThreadGroup group("g");
  const auto failed = group.add_task(vault.bind(tg::outputs(a), fails));
  const auto other = group.add_task(vault.bind("other", tg::outputs(a), [&] {
    go.acquire();
    return 7;
  }));
  EXPECT_THROW(failed.get(), std::runtime_error);
  EXPECT_EQ(vault.wait_for(a, 0s), KeyWait::timed_out);
  std::jthread releases([&] { go.release(); });
  EXPECT_EQ(vault.wait_for(a), KeyWait::present);
}

TEST(Producer, the_last_one_that_ends_without_the_key_ends_the_wait_even_if_it_did_not_fail_itself) {
  tg::Vault vault("v", kKeys);
  std::binary_semaphore go(0);
  tg::ThreadGroup group("g");
  const auto failed = group.add_task(vault.bind(tg::outputs(a), fails));
  EXPECT_THROW(failed.get(), std::runtime_error);
  group.post(vault.bind("other", tg::outputs(a), [&] {
    go.acquire();
    return nothing();
  }));
  std::jthread releases([&] { go.release(); });
  EXPECT_EQ(vault.wait_for(a), KeyWait::producer_failed);
}

TEST(Producer, functions_that_left_the_key_out_and_did_not_fail_end_no_wait) {
  tg::Vault vault("v", kKeys);
  vault.bind(tg::outputs(a), nothing)();
  EXPECT_EQ(vault.wait_for(a, 0s), KeyWait::timed_out);
}

TEST(Producer, a_function_that_was_bound_and_never_added_or_called_has_not_failed) {
  tg::Vault vault("v", kKeys);
  { const auto unused = vault.bind(tg::outputs(a), fails); }
  EXPECT_EQ(vault.wait_for(a, 0s), KeyWait::timed_out);
}

TEST(Producer, a_value_stored_since_then_lifts_the_failure) {
  tg::Vault vault("v", kKeys);
  const auto bound = vault.bind(tg::outputs(a), fails);
  EXPECT_THROW(bound(), std::runtime_error);
  vault.insert(a, 1);
  EXPECT_EQ(vault.wait_for(a), KeyWait::present);
  vault.erase(a);
  EXPECT_EQ(vault.wait_for(a, 0s), KeyWait::timed_out);
  EXPECT_THROW(bound(), std::runtime_error);
  EXPECT_EQ(vault.wait_for(a), KeyWait::producer_failed);
}

TEST(Producer, tries_that_are_followed_by_others_are_not_the_last_word) {
  tg::Vault vault("v", kKeys);
  std::atomic<int> tries{0};
  std::latch failed_once(1);
  std::binary_semaphore go(0);
  tg::ThreadGroup group("g");
  const auto some = [&] {
    if (++tries == 1) fails();
    failed_once.count_down();
    go.acquire();
    return 5;
  };
  const tg::RetryOptions soon{.max_tries = 3, .first_delay = 0s};
  group.post(tg::with_retries(vault.bind(tg::outputs(a), some), soon));
  failed_once.wait();
  EXPECT_EQ(vault.wait_for(a, 0s), KeyWait::timed_out);
  go.release();
  EXPECT_EQ(vault.wait_for(a), KeyWait::present);
  group.post(tg::with_retries(vault.bind(tg::outputs(b), fails), soon));
  EXPECT_EQ(vault.wait_for(b), KeyWait::producer_failed);
  EXPECT_EQ(group.wait_idle().failures.size(), 1U);
}

TEST(Producer, a_call_that_is_wrapped_and_skipped_has_failed) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g", {.max_concurrent_threads = 1});
  std::binary_semaphore running(0);
  std::binary_semaphore go(0);
  const auto one = [] { return 1; };
  const auto last = group.add_task([&] {
    running.release();
    go.acquire();
    tg::first_of(vault.bind(tg::outputs(c), one), one);
  });
  running.acquire();
  group.post(tg::with_retries(vault.bind(tg::outputs(a), one)));
  group.register_function("b", tg::with_retries(tg::with_retries(vault.bind(tg::outputs(b), one))));
  EXPECT_EQ(vault.wait_for(a, 0s), KeyWait::timed_out);  // it may still come
  group.set_event();
  EXPECT_EQ(vault.wait_for(a, 30s), KeyWait::producer_failed);
  static_cast<void>(group.execute_results());
  EXPECT_EQ(vault.wait_for(b, 30s), KeyWait::producer_failed);
  go.release();
  EXPECT_THROW(last.get(), tg::TaskSkipped);
  EXPECT_EQ(vault.wait_for(c, 30s), KeyWait::producer_failed);
}

TEST(Producer, a_registered_function_counts_from_when_it_is_executed) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g", {.max_concurrent_threads = 1});
  group.register_function("fails", vault.bind(tg::outputs(a), fails));
  group.register_function("stops", [&group] { group.set_event(); });
  group.register_function("skipped", vault.bind(tg::outputs(b), [] { return 1; }));
  EXPECT_EQ(vault.wait_for(a, 0s), KeyWait::timed_out);
  EXPECT_EQ(vault.wait_for(b, 0s), KeyWait::timed_out);
  std::jthread executes([&] { static_cast<void>(group.execute_results()); });
  EXPECT_EQ(vault.wait_for(a), KeyWait::producer_failed);
  EXPECT_EQ(vault.wait_for(b), KeyWait::producer_failed);
}

TEST(Producer, a_registered_function_that_succeeds_stores_its_key) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  group.register_function("works", vault.bind(tg::outputs(a), [] { return 1; }));
  EXPECT_EQ(group.execute().size(), 1U);
  EXPECT_EQ(vault.get(a), 1);
  EXPECT_EQ(vault.wait_for(a), KeyWait::present);
}

TEST(Producer, a_wait_for_several_keys_ends_when_one_of_them_cannot_come) {
  for (int round = 0; round < 50; ++round) {
    tg::Vault vault("v", kKeys);
    tg::ThreadGroup group("g");
    std::binary_semaphore go(0);
    group.post(vault.bind(tg::outputs(b), [&] {
      go.acquire();
      return fails();
    }));
    std::jthread releases([&] { go.release(); });
    EXPECT_EQ(vault.wait_for_all(tg::Duration::max(), a, b, c), KeyWait::producer_failed);
    EXPECT_EQ(group.wait_idle().failures.size(), 1U);
  }
}

TEST(Producer, a_stop_of_the_waiting_task_is_reported_before_a_failure) {
  tg::Vault vault("v", kKeys);
  std::binary_semaphore running(0);
  std::binary_semaphore go(0);
  tg::ThreadGroup group("g");
  const auto waits = group.add_task([&] {
    running.release();
    go.acquire();
    return vault.wait_for(a);
  });
  running.acquire();
  EXPECT_THROW(vault.bind(tg::outputs(a), fails)(), std::runtime_error);
  group.set_event();
  go.release();
  EXPECT_EQ(waits.get(), KeyWait::event_set);
}

TEST(Producer, an_automatic_that_failed_ends_the_wait_and_so_do_those_behind_it) {
  for (int round = 0; round < 50; ++round) {
    tg::Vault vault("v", kKeys);
    tg::ThreadGroup group("g");
    vault.automatic(group, tg::inputs(c), tg::outputs(d), twice);
    vault.automatic(group, tg::inputs(b), tg::outputs(c), twice);
    vault.automatic(group, tg::inputs(a), tg::outputs(b), fails_too);
    EXPECT_EQ(vault.wait_for(d, 0s), KeyWait::timed_out);
    std::jthread inserts([&] { vault.insert(a, 1); });
    EXPECT_EQ(vault.wait_for(d), KeyWait::producer_failed);
    EXPECT_EQ(vault.wait_for(b), KeyWait::producer_failed);
    EXPECT_EQ(group.wait_idle().failures.size(), 1U);
  }
}

TEST(Producer, an_automatic_whose_input_comes_from_a_failed_task_cannot_run) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  vault.automatic(group, tg::inputs(a, b), tg::outputs(c), [](int i, int j) { return i + j; });
  vault.insert(a, 1);
  group.post(vault.bind(tg::outputs(b), fails));
  EXPECT_EQ(vault.wait_for(c), KeyWait::producer_failed);
  EXPECT_EQ(group.wait_idle().failures.size(), 1U);
}

TEST(Producer, taking_out_an_input_that_cannot_come_again_ends_the_wait_for_the_output) {
  for (int round = 0; round < 50; ++round) {
    tg::Vault vault("v", kKeys);
    tg::ThreadGroup group("g", {.max_concurrent_threads = 1});
    vault.automatic(group, tg::inputs(a), tg::outputs(b), [](int) { return nothing(); });
    vault.insert(a, 1);
    EXPECT_TRUE(group.wait_idle().failures.empty());
    EXPECT_THROW(vault.bind(tg::outputs(a), fails)(), std::runtime_error);
    // The second task gets the only slot when the first one waits.
    const auto waits = group.add_task([&] { return vault.wait_for(b); });
    const auto takes_out = group.add_task([&] { return vault.erase(a); });
    EXPECT_TRUE(takes_out.get());
    ASSERT_EQ(waits.get(), KeyWait::producer_failed);
  }
}

TEST(Producer, an_automatic_that_runs_again_gives_new_hope) {
  tg::Vault vault("v", kKeys, {.permit_modification = true});
  std::binary_semaphore go(0);
  tg::ThreadGroup group("g");
  vault.automatic(group, tg::inputs(a), tg::outputs(b), [&](int i) {
    if (i == 1) fails();
    go.acquire();
    return i;
  });
  vault.insert(a, 1);
  EXPECT_EQ(vault.wait_for(b), KeyWait::producer_failed);
  vault.insert(a, 2);
  EXPECT_EQ(vault.wait_for(b, 0s), KeyWait::timed_out);
  go.release();
  EXPECT_EQ(vault.wait_for(b), KeyWait::present);
  EXPECT_EQ(group.wait_idle().failures.size(), 1U);
}

TEST(Producer, an_automatic_may_run_again_while_what_its_input_comes_from_does) {
  tg::Vault vault("v", kKeys, {.permit_modification = true});
  std::binary_semaphore go(0);
  tg::ThreadGroup group("g");
  vault.automatic(group, tg::inputs(b), tg::outputs(c), [](int i) {
    if (i == 1) fails();
    return i;
  });
  vault.automatic(group, tg::inputs(a), tg::outputs(b), [&](int i) {
    if (i == 2) go.acquire();
    return i;
  });
  vault.insert(a, 1);
  EXPECT_EQ(vault.wait_for(c), KeyWait::producer_failed);
  vault.insert(a, 2);
  EXPECT_EQ(vault.wait_for(c, 0s), KeyWait::timed_out);
  go.release();
  EXPECT_EQ(vault.wait_for(c), KeyWait::present);
}

TEST(Producer, an_automatic_whose_group_is_stopped_before_its_inputs_come_ends_the_wait) {
  for (int round = 0; round < 50; ++round) {
    tg::Vault vault("v", kKeys);
    tg::ThreadGroup group("g");
    vault.automatic(group, tg::inputs(a), tg::outputs(b), twice);
    EXPECT_EQ(vault.wait_for(b, 0s), KeyWait::timed_out);
    std::jthread stops([&] { group.set_event(); });
    EXPECT_EQ(vault.wait_for(b), KeyWait::producer_failed);
  }
}

TEST(Producer, an_automatic_whose_group_is_destroyed_ends_the_wait) {
  tg::Vault vault("v", kKeys);
  auto group = std::make_unique<tg::ThreadGroup>("g");
  vault.automatic(*group, tg::inputs(a), tg::outputs(b), twice);
  std::jthread destroys([&] { group.reset(); });
  EXPECT_EQ(vault.wait_for(b), KeyWait::producer_failed);
}

TEST(Producer, an_automatic_that_cannot_be_started_ends_the_wait) {
  struct Full {
    void post(tg::UniqueFunction<void()>) { throw std::runtime_error("no place"); }
  } runner;
  tg::Vault vault("v", kKeys);
  vault.automatic(runner, tg::inputs(a), tg::outputs(b), twice);
  EXPECT_THROW(vault.insert(a, 4), std::runtime_error);
  EXPECT_EQ(vault.wait_for(b), KeyWait::producer_failed);
}

TEST(Producer, an_automatic_whose_condition_was_false_has_not_failed) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  vault.automatic(group, tg::inputs(a), tg::outputs(b), twice, [](int) { return false; });
  vault.insert(a, 4);
  EXPECT_TRUE(group.join());
  EXPECT_EQ(vault.wait_for(b, 0s), KeyWait::timed_out);
}

TEST(Producer, a_missing_optional_input_keeps_no_automatic_from_running) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("g");
  vault.automatic(group, tg::inputs(a, b), tg::outputs(c),
                  [](int i, std::optional<int> j) { return i + j.value_or(0); });
  EXPECT_THROW(vault.bind(tg::outputs(b), fails)(), std::runtime_error);
  EXPECT_EQ(vault.wait_for(c, 0s), KeyWait::timed_out);
  vault.insert(a, 1);
  EXPECT_EQ(vault.wait_for(c), KeyWait::present);
}

TEST(Producer, a_long_chain_and_a_wide_net_of_automatics_are_looked_through) {
  constexpr std::size_t kLevels = 60;
  std::vector<tg::Key<int>> left;
  std::vector<tg::Key<int>> right;
  tg::KeyList keys;
  for (std::size_t i = 0; i <= kLevels; ++i) {
    left.emplace_back("left " + std::to_string(i));
    right.emplace_back("right " + std::to_string(i));
    keys.add(left.back());
    keys.add(right.back());
  }
  tg::Vault vault("v", keys);
  tg::ThreadGroup group("g");
  const auto sum = [](int i, int j) { return i + j; };
  for (std::size_t i = kLevels; i > 0; --i) {  // two ways from each level to the next
    vault.automatic(group, tg::inputs(left[i - 1], right[i - 1]), tg::outputs(left[i]), sum);
    vault.automatic(group, tg::inputs(left[i - 1], right[i - 1]), tg::outputs(right[i]), sum);
  }
  EXPECT_EQ(vault.wait_for(left[kLevels], 0s), KeyWait::timed_out);
  group.post(vault.bind(tg::outputs(right[0]), fails));
  EXPECT_EQ(vault.wait_for(left[kLevels]), KeyWait::producer_failed);
  EXPECT_EQ(group.wait_idle().failures.size(), 1U);
}

// --- The slot of the task that waits

TEST(WaitForKey, a_task_waits_for_a_key_that_a_later_task_of_its_group_inserts_where_one_can_run_at_a_time) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("one at a time", {.max_concurrent_threads = 1});
  const auto waits = group.add_task([&] { return vault.wait_for(a); });
  group.post([&] { vault.insert(a, 1); });
  // With the slot kept it would wait forever.
  const bool done = waits.wait(30s) == tg::WaitOutcome::ready;
  EXPECT_TRUE(done);
  if (!done) group.set_event("the test failed");
  EXPECT_EQ(waits.get(), KeyWait::present);
  EXPECT_TRUE(group.join());
}

TEST(WaitForKey, no_more_tasks_run_than_the_bound_says_when_the_wait_is_over) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("one at a time", {.max_concurrent_threads = 1});
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  const auto run = [&] {
    const int now = ++running;
    if (now > most) most = now;
    std::this_thread::yield();
    --running;
  };
  group.post([&] {
    EXPECT_EQ(vault.wait_for(a), KeyWait::present);
    run();
  });
  for (int i = 0; i < 50; ++i) {
    group.post([&, i] {
      if (i == 10) vault.insert(a, 1);
      run();
    });
  }
  EXPECT_TRUE(group.join());
  EXPECT_EQ(most, 1);
}

TEST(WaitForKey, a_wait_with_a_time_limit_lends_as_well) {
  tg::Vault vault("v", kKeys);
  tg::ThreadGroup group("one at a time", {.max_concurrent_threads = 1});
  const auto waits = group.add_task([&] { return vault.wait_for(a, 30s); });
  group.post([&] { vault.insert(a, 1); });
  EXPECT_EQ(waits.get(), KeyWait::present);
  EXPECT_TRUE(group.join());
}

}  // namespace
}  // namespace producer_test
