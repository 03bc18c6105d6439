// SPDX-License-Identifier: Apache-2.0
// Results as they come, one function over a range, and races of several functions.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <threadgroup/threadgroup.hpp>

namespace together_test {
namespace {

TEST(as_completed, results_come_in_the_order_in_which_they_end) {
  std::binary_semaphore go_on(0);
  tg::ThreadGroup group;
  group.register_function("slow", [&] {
    go_on.acquire();
    return 1;
  });
  group.register_function("fast", [] { return 2; });
  std::string order;
  for (auto& result : group.as_completed()) {
    order += result.str();
    if (result.fn_name() == "fast") go_on.release();
  }
  EXPECT_EQ(order, "(function=fast; result=2)(function=slow; result=1)");
  EXPECT_TRUE(group.executed());
  EXPECT_TRUE(group.get_results().empty());
}

TEST(as_completed, a_slow_reader_holds_up_the_work) {
  std::atomic<int> started = 0;
  tg::ThreadGroup group("bounded", {.max_concurrent_threads = 2});
  for (int i = 0; i < 100; ++i) group.register_function("f", [&] { return ++started; });
  int taken = 0;
  for (auto& result : group.as_completed()) {
    static_cast<void>(result);
    EXPECT_LE(started, taken + 4);
    ++taken;
  }
  EXPECT_EQ(taken, 100);
}

TEST(as_completed, a_result_that_was_read_is_not_kept) {
  tg::ThreadGroup group;
  group.register_function("f", [] { return std::make_shared<int>(1); });
  std::weak_ptr<int> kept;
  for (auto& result : group.as_completed()) kept = result.as<std::shared_ptr<int>>();
  EXPECT_TRUE(group.join());
  EXPECT_TRUE(kept.expired());
}

TEST(as_completed, failures_come_as_results_and_are_not_told_again) {
  tg::ThreadGroup group;
  group.register_function("f", [] { throw std::runtime_error("no"); });
  int seen = 0;
  for (auto& result : group.as_completed()) {
    EXPECT_EQ(result.str(), "(function=f; failed=no)");
    ++seen;
  }
  EXPECT_EQ(seen, 1);
  EXPECT_TRUE(group.join());
}

TEST(as_completed, after_the_event_the_rest_comes_as_skipped) {
  tg::ThreadGroup group("g", {.max_concurrent_threads = 1});
  for (int i = 0; i < 5; ++i) group.register_function("f", [&] { group.set_event("enough"); });
  int skipped = 0;
  int all = 0;
  for (auto& result : group.as_completed()) {
    ++all;
    if (result.status() == tg::TaskStatus::skipped) ++skipped;
  }
  EXPECT_EQ(all, 5);
  EXPECT_EQ(skipped, 4);
}

TEST(as_completed, leaving_the_loop_starts_no_more) {
  std::atomic<int> started = 0;
  {
    tg::ThreadGroup group("g", {.max_concurrent_threads = 1});
    for (int i = 0; i < 100; ++i) group.register_function("f", [&] { ++started; });
    for (auto& result : group.as_completed()) {
      static_cast<void>(result);
      break;
    }
    EXPECT_TRUE(group.join());
    EXPECT_FALSE(group.executed());
  }
  EXPECT_LE(started, 2);
}

TEST(as_completed, ends_when_the_readers_group_is_stopped) {
  std::binary_semaphore go_on(0);
  std::binary_semaphore started(0);
  tg::ThreadGroup elsewhere("elsewhere");
  elsewhere.register_function("slow", [&] {
    started.release();
    go_on.acquire();
  });
  tg::ThreadGroup readers("readers");
  const auto task = readers.add_task([&] {
    auto results = elsewhere.as_completed();
    const bool none = results.next() == nullptr;
    return none && results.interrupted();
  });
  started.acquire();
  readers.set_event();
  EXPECT_TRUE(task.get());
  go_on.release();
}

TEST(as_completed, handles_of_several_groups_come_as_they_end) {
  std::binary_semaphore go_on(0);
  tg::ThreadGroup a("a");
  tg::ThreadGroup b("b");
  std::vector<tg::TaskHandle<int>> handles;
  handles.push_back(a.add_task([&] {
    go_on.acquire();
    return 1;
  }));
  handles.push_back(b.add_task([] { return 2; }));
  std::vector<int> order;
  for (auto& task : tg::as_completed(handles)) {
    order.push_back(task.get());
    go_on.release();
  }
  EXPECT_EQ(order, (std::vector{2, 1}));
}

TEST(as_completed, in_a_task_of_the_same_group_lends_the_place) {
  tg::ThreadGroup group("one", {.max_concurrent_threads = 1});
  const auto sum = group.add_task([&] {
    std::vector<tg::TaskHandle<int>> handles;
    for (int i = 1; i <= 3; ++i) handles.push_back(group.add_task([i] { return i; }));
    int total = 0;
    for (auto& task : tg::as_completed(handles)) total += task.get();
    return total;
  });
  EXPECT_EQ(sum.get(), 6);
}

TEST(as_completed, of_the_calling_task_itself_is_an_error_and_no_hang) {
  tg::ThreadGroup group("g");
  std::latch ready(1);
  tg::TaskHandle<bool> self;
  self = group.add_task([&] {
    ready.wait();
    try {
      tg::as_completed(std::vector{self}).next();
      return false;
    } catch (const std::system_error& e) {
      return e.code() == std::errc::resource_deadlock_would_occur;
    }
  });
  ready.count_down();
  EXPECT_TRUE(self.get());
}

TEST(map, results_are_typed_and_in_order) {
  tg::ThreadGroup group;
  const std::vector<int> numbers = {1, 2, 3, 4};
  const std::vector<std::string> texts = tg::map(group, numbers, [](int x) { return std::to_string(x * x); });
  EXPECT_EQ(texts, (std::vector<std::string>{"1", "4", "9", "16"}));
  EXPECT_EQ(tg::map(
                numbers, [](int x) { return x > 2; }, 2),
            (std::vector{false, false, true, true}));
  EXPECT_TRUE(tg::map(group, std::vector<int>(), [](int x) { return x; }).empty());
}

TEST(map, results_need_be_neither_default_made_nor_copied) {
  struct Only {
    explicit Only(int x) : p(std::make_unique<int>(x)) {}
    std::unique_ptr<int> p;
  };
  const auto made = tg::map(std::vector{7}, [](int x) { return Only(x); });
  EXPECT_EQ(*made[0].p, 7);
}

TEST(map, of_a_function_without_result_gives_nothing) {
  std::atomic<int> sum = 0;
  tg::map(std::vector{1, 2, 3}, [&](int x) { sum += x; });
  EXPECT_EQ(sum, 6);
}

TEST(map, names_the_items_that_failed_once_all_have_ended) {
  std::atomic<int> ended = 0;
  tg::ThreadGroup group("g");
  try {
    tg::map(group, std::vector{1, 2, 3}, [&](int x) {
      ++ended;
      if (x == 2) throw std::runtime_error("two");
      return x;
    });
    FAIL() << "a failure was swallowed";
  } catch (const tg::FunctionFailures& e) {
    EXPECT_NE(std::string(e.what()).find("item 1 failed in group 'MainThread/g': two"), std::string::npos);
    EXPECT_EQ(ended, 3);
  }
  EXPECT_TRUE(group.join());
}

TEST(map, on_a_group_that_was_stopped_throws_skipped) {
  tg::ThreadGroup group;
  group.set_event("no");
  EXPECT_THROW(tg::map(group, std::vector{1}, [](int x) { return x; }), tg::TaskSkipped);
}

TEST(map, in_a_task_of_the_same_group_does_not_hang) {
  tg::ThreadGroup group("one", {.max_concurrent_threads = 1});
  const auto task = group.add_task([&] {
    return tg::map(group, std::vector{1, 2}, [](int x) { return 2 * x; });
  });
  EXPECT_EQ(task.get(), (std::vector{2, 4}));
}

TEST(first_of, returns_the_first_success_and_tells_the_rest_to_stop) {
  tg::ThreadGroup group("caller");
  const auto task = group.add_task([] {
    std::atomic<bool> told = false;
    std::latch sleeping(1);  // one that has not begun is skipped, and told nothing
    const int first = tg::first_of(
        [&] {
          sleeping.count_down();
          told = !tg::thread_utils::event_aware_sleep(std::chrono::hours(1));
          return 1;
        },
        [&] {
          sleeping.wait();
          return 2;
        },
        []() -> int { throw std::runtime_error("dropped"); });
    return std::pair(first, told.load());
  });
  EXPECT_EQ(task.get(), std::pair(2, true));
  EXPECT_FALSE(group.event_is_set());
}

TEST(first_of, gives_stop_tokens_to_those_who_take_them) {
  const std::string first = tg::first_of(
      [](std::stop_token token) {
        std::binary_semaphore stopped(0);
        std::stop_callback on_stop(token, [&] { stopped.release(); });
        stopped.acquire();
        return std::string("late");
      },
      [] { return "early"; });
  EXPECT_EQ(first, "early");
}

TEST(first_of, when_all_fail_throws_what_each_threw) {
  std::vector<std::function<int()>> all = {[]() -> int { throw std::runtime_error("one"); },
                                           []() -> int { throw std::runtime_error("two"); }};
  try {
    tg::first_of(all);
    FAIL() << "failures were swallowed";
  } catch (const tg::FunctionFailures& e) {
    EXPECT_EQ(e.failures().size(), 2u);
    EXPECT_NE(std::string(e.what()).find("'candidate 1': one"), std::string::npos) << e.what();
  }
}

TEST(first_of, in_a_group_that_was_stopped_throws_skipped) {
  tg::ThreadGroup group;
  const auto task = group.add_task([&] {
    group.set_event("no");
    return tg::first_of([] { return 1; });
  });
  EXPECT_THROW(task.get(), tg::TaskSkipped);
}

TEST(quorum, returns_k_results_in_the_order_in_which_they_came) {
  std::binary_semaphore second(0);
  const std::vector<std::function<int()>> all = {[&] {
                                                   second.acquire();
                                                   return 1;
                                                 },
                                                 [&] {
                                                   second.release();
                                                   return 2;
                                                 },
                                                 [] {
                                                   tg::thread_utils::event_aware_sleep(std::chrono::hours(1));
                                                   return 3;
                                                 }};
  std::vector<int> results = tg::quorum(2, all);
  std::sort(results.begin(), results.end());
  EXPECT_EQ(results, (std::vector{1, 2}));
}

TEST(quorum, gives_up_as_soon_as_too_few_can_succeed) {
  const std::vector<std::function<int()>> all = {[]() -> int { throw std::runtime_error("no"); },
                                                 []() -> int { throw std::runtime_error("no"); },
                                                 [] {
                                                   tg::thread_utils::event_aware_sleep(std::chrono::hours(1));
                                                   return 3;
                                                 }};
  EXPECT_THROW(tg::quorum(2, all), tg::FunctionFailures);
}

TEST(quorum, that_cannot_be_is_refused) {
  const std::vector<std::function<int()>> one = {[] { return 1; }};
  EXPECT_THROW(tg::quorum(0, one), std::invalid_argument);
  EXPECT_THROW(tg::quorum(2, one), std::invalid_argument);
}

// A size that is no number, as images and matrices have it.
struct Picture {
  struct Size {
    int width, height;
  };
  std::vector<int> pixels;
  Size size() const { return {2, 1}; }
  auto begin() const { return pixels.begin(); }
  auto end() const { return pixels.end(); }
};

TEST(map, range_whose_size_is_no_number_is_gone_through) {
  EXPECT_EQ(tg::map(Picture{{1, 2}}, [](int pixel) { return pixel + 1; }), (std::vector<int>{2, 3}));
}

}  // namespace
}  // namespace together_test
