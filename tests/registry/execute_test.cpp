// SPDX-License-Identifier: Apache-2.0
// Executing registered functions: results, failures, events, threads.
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <threadgroup/threadgroup.hpp>

#include "tree/task_context.hpp"

namespace execute_test {
namespace {

TEST(execute, results_print_exactly_as_promised) {
  tg::ThreadGroup group;
  group.register_function(
      "f1", [](int a1) { return a1; }, 1);
  group.register_function(
      "f2", [](int a2) { return a2; }, 2);
  group.register_function(
      "f3", [](int a1, bool kw1) { return std::tuple(a1, kw1); }, 1, true);
  EXPECT_EQ(group.execute().str(),
            "[(function=f1; result=1), (function=f2; result=2), (function=f3; result=(1, true))]");
}

TEST(execute, runs_the_functions_at_the_same_time) {
  std::latch all_there(3);
  tg::ThreadGroup group;
  for (const char* name : {"a", "b", "c"})
    group.register_function(name, [&] { all_there.arrive_and_wait(); });  // would hang one after the other
  EXPECT_EQ(group.execute().size(), 3u);
}

TEST(execute, keeps_within_the_bound_of_the_group) {
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  tg::ThreadGroup group("bounded", {.max_concurrent_threads = 2});
  for (int i = 0; i < 50; ++i) {
    group.register_function("f", [&] {
      const int now = ++running;
      int seen = most;
      while (seen < now && !most.compare_exchange_weak(seen, now)) {
      }
      --running;
    });
  }
  group.execute();
  EXPECT_LE(most, 2);
}

TEST(execute, results_are_in_the_order_of_registration_whatever_ends_first) {
  std::binary_semaphore second_done(0);
  tg::ThreadGroup group;
  group.register_function("first", [&] {
    second_done.acquire();
    return 1;
  });
  group.register_function("second", [&] {
    second_done.release();
    return 2;
  });
  EXPECT_EQ(group.execute().str(), "[(function=first; result=1), (function=second; result=2)]");
}

TEST(execute, again_runs_again) {
  int calls = 0;
  tg::ThreadGroup group("g", {.max_concurrent_threads = 1});
  group.register_function("f", [&] { return ++calls; });
  EXPECT_EQ(group.execute()[0].as<int>(), 1);
  EXPECT_EQ(group()[0].as<int>(), 2);
  EXPECT_EQ(group.get_results()[0].as<int>(), 2);
}

TEST(execute, of_nothing_is_an_executed_group_with_no_results) {
  tg::ThreadGroup group;
  EXPECT_EQ(group.execute().str(), "[]");
  EXPECT_TRUE(group.executed());
}

TEST(execute, functions_without_result_say_void) {
  tg::ThreadGroup group;
  group.register_function("f", [] {});
  EXPECT_EQ(group.execute().str(), "[(function=f; result=void)]");
}

TEST(execute, task_names_are_function_names) {
  std::string running;
  tg::ThreadGroup group;
  group.register_function("fetch", [&] { running = tg::detail::TaskContext::current()->task_name(); });
  group.execute();
  EXPECT_EQ(running, "fetch");
}

TEST(execute, one_failure_names_the_function_and_keeps_the_other_results) {
  tg::ThreadGroup group("g");
  group.register_function("f1", [] { return 1; });
  group.register_function("f2", []() -> int { throw std::range_error("no route"); });
  group.register_function("f3", [] { return 3; });
  try {
    group.execute();
    FAIL() << "a failure was swallowed";
  } catch (const tg::FunctionFailures& e) {
    EXPECT_EQ(std::string(e.what()).find("function 'f2' failed in group 'MainThread/g': no route (added at "),
              0u)
        << e.what();
    ASSERT_EQ(e.failures().size(), 1u);
    EXPECT_EQ(e.failures()[0].task, "f2");
    EXPECT_THROW(std::rethrow_exception(e.failures()[0].exception), std::range_error);
    EXPECT_THROW(std::rethrow_if_nested(e), std::range_error);
    EXPECT_EQ(e.results().size(), 3u);
  }
  EXPECT_TRUE(group.executed());
  EXPECT_EQ(group.get_results().str(),
            "[(function=f1; result=1), (function=f2; failed=no route), (function=f3; result=3)]");
  EXPECT_THROW(group.get_results()[1].as<int>(), std::range_error);
}

TEST(execute, several_failures_are_all_named) {
  tg::ThreadGroup group("g", {.max_concurrent_threads = 1});
  group.register_function("f1", [] { throw std::runtime_error("one"); });
  group.register_function("f2", [] {});
  group.register_function("f3", [] { throw 3; });
  try {
    group.execute();
    FAIL() << "failures were swallowed";
  } catch (const tg::TaskFailures& e) {
    const std::string text = e.what();
    EXPECT_EQ(text.find("2 functions failed in group 'MainThread/g': 'f1': one (added at "), 0u) << text;
    EXPECT_NE(text.find("); 'f3': an exception of type int (added at "), std::string::npos) << text;
    ASSERT_EQ(e.failures().size(), 2u);
    EXPECT_EQ(e.failures()[1].task, "f3");
    EXPECT_THROW(std::rethrow_exception(e.failures()[1].exception), int);
  }
}

TEST(execute, failures_that_it_threw_are_not_told_again_by_a_join) {
  tg::ThreadGroup group;
  group.register_function("f", [] { throw std::runtime_error("once"); });
  EXPECT_THROW(group.execute(), tg::FunctionFailures);
  EXPECT_TRUE(group.join());
}

TEST(execute, a_result_whose_move_throws_is_that_functions_failure) {
  struct ThrowsWhenMoved {
    ThrowsWhenMoved() = default;
    ThrowsWhenMoved(ThrowsWhenMoved&&) { throw std::range_error("move"); }
  };
  tg::ThreadGroup group;
  group.register_function("f", [] { return ThrowsWhenMoved(); });
  group.register_function("g", [] { return 2; });
  EXPECT_EQ(group.execute_results().str(), "[(function=f; failed=move), (function=g; result=2)]");
  EXPECT_TRUE(group.executed());
}

TEST(execute, values_without_a_printable_form_print_as_their_type) {
  struct Opaque {};
  tg::ThreadGroup group;
  group.register_function("f", [] { return Opaque(); });
  group.register_function("g", [] { return std::vector<Opaque>(1); });
  const std::string text = group.execute().str();
  EXPECT_NE(text.find("(function=f; result="), std::string::npos) << text;
  EXPECT_NE(text.find("Opaque), (function=g; result=["), std::string::npos) << text;
  EXPECT_NE(text.find("Opaque])]"), std::string::npos) << text;
}

TEST(execute, executed_stays_true_whatever_the_next_runs_bring) {
  bool fail = true;
  tg::ThreadGroup group("g", {.max_concurrent_threads = 1});
  group.register_function("f", [&] {
    if (fail) throw std::runtime_error("no");
  });
  EXPECT_THROW(group.execute(), tg::FunctionFailures);
  EXPECT_TRUE(group.executed());
  fail = false;
  EXPECT_EQ(group.execute().str(), "[(function=f; result=void)]");
  EXPECT_TRUE(group.executed());
}

TEST(execute_results, returns_failures_instead_of_throwing_them) {
  tg::ThreadGroup group;
  group.register_function("f", [] { throw std::runtime_error("no"); });
  const tg::ResultList results = group.execute_results();
  EXPECT_EQ(results.str(), "[(function=f; failed=no)]");
  ASSERT_EQ(results.failures().size(), 1u);
  EXPECT_EQ(results.failures()[0].task, "f");
  EXPECT_TRUE(group.join());
}

TEST(execute, after_the_event_skips_everything_and_says_why) {
  tg::ThreadGroup group("g");
  int calls = 0;
  group.register_function("f", [&] { ++calls; });
  group.set_event("no more");
  const tg::ResultList& results = group.execute();
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(results[0].status(), tg::TaskStatus::skipped);
  EXPECT_EQ(results.str().rfind("[(function=f; skipped=requested at MainThread/g: no more", 0), 0u)
      << results.str();
  EXPECT_THROW(results[0].as<int>(), tg::TaskSkipped);
  EXPECT_TRUE(group.executed());
}

TEST(execute, the_event_skips_what_has_not_started_and_keeps_what_completes) {
  tg::ThreadGroup group("g", {.max_concurrent_threads = 1});
  group.register_function("stops", [&] {
    group.set_event("enough");
    return 1;
  });
  group.register_function("late", [] { return 2; });
  const tg::ResultList& results = group.execute();
  EXPECT_EQ(results[0].as<int>(), 1);
  EXPECT_EQ(results[1].status(), tg::TaskStatus::skipped);
  EXPECT_EQ(results[1].reason()->message, "enough");
}

TEST(execute, with_stop_on_failure_the_rest_is_skipped_and_the_failure_raised) {
  tg::ThreadGroup group("g", {.max_concurrent_threads = 1, .on_failure = tg::OnFailure::set_event});
  group.register_function("fails", [] { throw std::runtime_error("broken"); });
  group.register_function("late", [] { return 2; });
  try {
    group.execute();
    FAIL() << "a failure was swallowed";
  } catch (const tg::FunctionFailures& e) {
    ASSERT_EQ(e.failures().size(), 1u);
    EXPECT_EQ(e.results()[1].status(), tg::TaskStatus::skipped);
    EXPECT_EQ(e.results()[1].reason()->kind, tg::ReasonKind::failure);
  }
}

TEST(execute, as_of_the_wrong_type_names_function_and_both_types) {
  tg::ThreadGroup group;
  group.register_function("f", [] { return 1; });
  group.register_function("v", [] {});
  const tg::ResultList& results = group.execute();
  try {
    results[0].as<std::string>();
    FAIL();
  } catch (const tg::ResultTypeError& e) {
    EXPECT_STREQ(e.what(), "the result of function 'f' was asked for as std::string, but it is int");
  }
  EXPECT_THROW(results[1].as<int>(), tg::ResultTypeError);
}

TEST(execute, by_a_task_of_the_group_or_below_is_an_error_and_no_hang) {
  tg::ThreadGroup group("g");
  group.register_function("f", [&] { group.execute(); });
  group.register_function("below", [&] {
    tg::ThreadGroup inner("inner");
    inner.register_function("up", [&] { group.execute(); });
    inner.execute();
  });
  const tg::ResultList results = group.execute_results();
  try {
    std::rethrow_exception(results[0].exception());
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::resource_deadlock_would_occur);
    EXPECT_NE(std::string(e.what()).find("task 'f' of group 'MainThread/g' waits for group 'MainThread/g'"),
              std::string::npos);
  }
  EXPECT_EQ(results[1].status(), tg::TaskStatus::failed);
  EXPECT_NE(results[1].str().find("task 'up' of group 'MainThread/g/inner' waits"), std::string::npos)
      << results[1].str();
}

TEST(execute, functions_registered_during_a_run_join_the_next_one) {
  tg::ThreadGroup group;
  group.register_function("f", [&] { group.register_function("late", [] { return 2; }); });
  EXPECT_EQ(group.execute().size(), 1u);
  EXPECT_EQ(group.execute().size(), 2u);
}

TEST(execute, arguments_updated_during_a_run_are_for_the_next_one) {
  tg::ThreadGroup group("g", {.max_concurrent_threads = 1});
  group.register_function("first", [&] { group.update_fn_args("second", 2); });
  group.register_function(
      "second", [](int x) { return x; }, 1);
  EXPECT_EQ(group.execute()[1].as<int>(), 1);
  EXPECT_EQ(group.execute()[1].as<int>(), 2);
}

TEST(execute, from_several_threads_each_gets_its_own_results) {
  constexpr int kThreads = 4;
  std::atomic<int> calls = 0;
  tg::ThreadGroup group("shared", {.max_concurrent_threads = 4});
  for (int i = 0; i < 10; ++i) group.register_function("f", [&] { return ++calls; });
  std::vector<tg::ResultList> results(kThreads);
  std::latch together(kThreads);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : results) {
      threads.emplace_back([&] {
        together.arrive_and_wait();
        mine = group.execute_results();
      });
    }
  }
  std::vector<bool> seen(kThreads * 10 + 1);
  for (const auto& list : results) {
    ASSERT_EQ(list.size(), 10u);
    for (const auto& result : list) seen[static_cast<std::size_t>(result.as<int>())] = true;
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), kThreads * 10);
  EXPECT_EQ(group.get_results().size(), 10u);
}

TEST(execute, results_outlive_group_and_list) {
  tg::ResultList results;
  {
    tg::ThreadGroup group;
    group.register_function("f", [] { return std::make_unique<int>(8); });
    results = group.execute();
  }
  EXPECT_EQ(*results[0].as<std::unique_ptr<int>>(), 8);
}

TEST(execute, ends_unfinished_when_only_the_callers_group_is_stopped) {
  std::binary_semaphore go_on(0);
  std::binary_semaphore started(0);
  tg::ThreadGroup elsewhere("elsewhere");
  elsewhere.register_function("slow", [&] {
    started.release();
    go_on.acquire();
    return 1;
  });
  tg::ThreadGroup callers("callers");
  const auto task = callers.add_task([&] { return elsewhere.execute_results(); });
  started.acquire();
  callers.set_event("never mind");
  const tg::ResultList results = task.get();
  EXPECT_FALSE(results.complete());
  EXPECT_EQ(results.str(), "[(function=slow; running)]");
  EXPECT_FALSE(elsewhere.executed());
  go_on.release();
  EXPECT_TRUE(elsewhere.join());
  EXPECT_EQ(results.str(), "[(function=slow; result=1)]");
}

TEST(threaded_execution, runs_the_same_function_with_many_arguments_in_order) {
  std::vector<tg::Function> functions;
  for (int value : {1, 2, 3, 4, 5})
    functions.push_back(tg::create_function(
        "f1", [](int a1) { return a1; }, value));
  EXPECT_EQ(
      tg::threaded_execution(functions, 2).str(),
      "[(function=f1; result=1), (function=f1; result=2), (function=f1; result=3), (function=f1; result=4), "
      "(function=f1; result=5)]");
}

TEST(threaded_execution, raises_after_all_have_finished_and_keeps_the_results) {
  std::vector<tg::Function> functions;
  functions.push_back(tg::create_function("bad", []() -> int { throw std::runtime_error("no"); }));
  functions.push_back(tg::create_function("good", [] { return 1; }));
  try {
    tg::threaded_execution(functions);
    FAIL() << "a failure was swallowed";
  } catch (const tg::FunctionFailures& e) {
    EXPECT_EQ(
        std::string(e.what()).find("function 'bad' failed in group 'threaded_execution': no (added at "), 0u)
        << e.what();
    EXPECT_EQ(e.results()[1].as<int>(), 1);
  }
  EXPECT_EQ(tg::threaded_execution_results(functions).str(),
            "[(function=bad; failed=no), (function=good; result=1)]");
}

TEST(threaded_execution, without_workers_is_refused) {
  EXPECT_THROW(tg::threaded_execution({}, 0), std::invalid_argument);
  EXPECT_TRUE(tg::threaded_execution({}).empty());
}

TEST(threaded_execution, in_a_task_obeys_the_event_of_the_tasks_group) {
  tg::ThreadGroup group("outer");
  const auto task = group.add_task([&] {
    group.set_event("stop");
    return tg::threaded_execution({tg::create_function("f", [] { return 1; })});
  });
  const tg::ResultList results = task.get();
  EXPECT_EQ(results[0].status(), tg::TaskStatus::skipped);
  EXPECT_EQ(results[0].reason()->message, "stop");
}

TEST(execute, does_not_return_before_its_tasks_are_counted) {
  tg::ThreadGroup group("counted", {.on_failure = tg::OnFailure::set_event});
  group.register_function("f", [] { throw std::runtime_error("f"); });
  std::atomic<bool> returned = false;
  bool too_early = false;
  // The failure is in the handle, and not yet in the counts, while the group is stopped because of it.
  const std::stop_callback on_stop(group.get_stop_token(), [&] {
    for (int i = 0; i < 2000; ++i) std::this_thread::yield();
    too_early = returned;
  });
  const tg::ResultList results = group.execute_results();
  returned = true;
  EXPECT_FALSE(too_early);
  EXPECT_EQ(group.statistics().failed, 1u);
}

TEST(execute, may_be_called_by_the_destructor_of_a_skipped_callable) {
  tg::ThreadGroup group;
  group.register_function("f", [] {});
  group.set_event("stop");
  struct ExecutesAtTheEnd {
    tg::ThreadGroup* group;
    std::size_t* results;
    ExecutesAtTheEnd(tg::ThreadGroup* of, std::size_t* to) : group(of), results(to) {}
    ExecutesAtTheEnd(ExecutesAtTheEnd&& other) noexcept
        : group(std::exchange(other.group, nullptr)), results(other.results) {}
    ~ExecutesAtTheEnd() {
      if (group != nullptr) *results = group->execute_results().size();
    }
    void operator()() const {}
  };
  std::size_t results = 0;
  group.post(ExecutesAtTheEnd(&group, &results));
  EXPECT_EQ(results, 1u);
}

TEST(create_function, calls_the_function_with_its_arguments) {
  const tg::Function f = tg::create_function(
      "f", [](int a, int b) { return a * b; }, 6, 7);
  EXPECT_EQ(f.name(), "f");
  EXPECT_EQ(*f().try_as<int>(), 42);
}

}  // namespace
}  // namespace execute_test
