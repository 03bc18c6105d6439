// SPDX-License-Identifier: Apache-2.0
// A map that threw the results away, ran on after its group was stopped, lost failures when it was
// interrupted and left its tasks when its range threw; and failures that did not say where their task was
// added.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <latch>
#include <semaphore>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <threadgroup/threadgroup.hpp>

namespace map_test {
namespace {

using namespace std::chrono_literals;
using tg::OnFailure;
using tg::TaskStatus;
using tg::ThreadGroup;

std::string all_but_two(int x) {
  if (x == 2) throw std::domain_error("two");
  return std::to_string(x);
}

TEST(Map, results_stay_reachable_when_another_item_fails) {
  ThreadGroup group("g");
  try {
    tg::map(group, std::vector{1, 2, 3}, all_but_two);
    FAIL() << "no error";
  } catch (const tg::MapFailures<std::string>& e) {
    EXPECT_EQ(
        std::string(e.what()).find("item 1 failed in group 'MainThread/g': two (added at map_test.cpp:"), 0u)
        << e.what();
    ASSERT_EQ(e.tasks().size(), 3u);
    EXPECT_EQ(e.tasks()[0].get(), "1");
    EXPECT_EQ(e.tasks()[1].status(), TaskStatus::failed);
    EXPECT_EQ(e.tasks()[2].get(), "3");
    EXPECT_THROW(std::rethrow_if_nested(e), std::domain_error);
  }
  EXPECT_TRUE(group.join());  // the failure was delivered
}

TEST(Map, names_its_items_plainly) {
  ThreadGroup group("g");
  try {
    tg::map(group, std::vector{2, 1, 2}, all_but_two);
    FAIL() << "no error";
  } catch (const tg::FunctionFailures& e) {  // as before
    const std::string text = e.what();
    EXPECT_EQ(text.find("2 items failed in group 'MainThread/g': item 0: two (added at "), 0u) << text;
    EXPECT_NE(text.find("; item 2: two (added at "), std::string::npos) << text;
    EXPECT_EQ(e.failures()[1].task, "item 2");
    EXPECT_NE(e.failures()[1].where.line, 0u);
  }
}

// The numbers from 0 on, each made by a call as it is read. (clang 14 cannot compile the views of
// libstdc++ 12.)
template <class F>
class Elements {
 public:
  class Iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    Iterator(const F* make, int at) : make_(make), at_(at) {}
    int operator*() const { return (*make_)(at_); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator(make_, at_++); }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    const F* make_ = nullptr;
    int at_ = 0;
  };

  Elements(int count, F make) : count_(count), make_(std::move(make)) {}
  Iterator begin() const { return Iterator(&make_, 0); }
  Iterator end() const { return Iterator(&make_, count_); }

 private:
  int count_;
  F make_;
};

TEST(Map, takes_no_more_elements_once_the_group_is_stopped) {
  ThreadGroup group("g", {.on_failure = OnFailure::set_event});
  int read = 0;
  // The second element comes when the failure of the first has stopped the group.
  const Elements elements(1000, [&](int i) {
    while (i > 0 && !group.event_is_set()) std::this_thread::yield();
    ++read;
    return i;
  });
  try {
    tg::map(group, elements, [](int i) {
      if (i == 0) throw std::domain_error("the first");
      return i;
    });
    FAIL() << "no error";
  } catch (const tg::MapFailures<int>& e) {
    EXPECT_EQ(e.tasks().size(), 2u);
    EXPECT_EQ(e.tasks().back().status(), TaskStatus::skipped);
  }
  EXPECT_EQ(read, 2);
}

TEST(Map, never_returns_fewer_results_than_there_are_elements) {
  ThreadGroup group("g");
  // The event comes when the first is done, and before the second is read.
  const Elements elements(3, [&](int i) {
    if (i == 1) {
      while (group.statistics().succeeded == 0) std::this_thread::yield();
      group.set_event("enough");
    }
    return i;
  });
  EXPECT_THROW(tg::map(group, elements, [](int i) { return i; }), tg::Stopped);
}

TEST(Map, as_handles_it_shows_what_became_of_each_item) {
  ThreadGroup group("g");
  const auto tasks = tg::map_results(group, std::vector{1, 2, 3}, all_but_two);
  ASSERT_EQ(tasks.size(), 3u);
  EXPECT_EQ(tasks[0].get(), "1");
  EXPECT_EQ(tasks[1].status(), TaskStatus::failed);
  EXPECT_EQ(tasks[1].name(), "item 1");
  EXPECT_EQ(tasks[2].get(), "3");
  EXPECT_TRUE(group.join());
  EXPECT_EQ(tg::map_results(std::vector{1, 3}, all_but_two, 2).size(), 2u);
}

TEST(Map, passes_the_token_of_its_group_to_a_function_that_takes_one_first) {
  ThreadGroup group("g");
  const auto square = [](std::stop_token token, int x) {
    EXPECT_TRUE(token.stop_possible());
    EXPECT_FALSE(token.stop_requested());
    return x * x;
  };
  EXPECT_EQ(tg::map(group, std::vector{1, 2, 3}, square), (std::vector{1, 4, 9}));
  EXPECT_EQ(tg::map(std::vector{2, 3}, square, 2), (std::vector{4, 9}));
  EXPECT_EQ(tg::map_results(std::vector{5}, square).at(0).get(), 25);
  const auto stops = [&group](std::stop_token token, int) {
    group.set_event();
    return token.stop_requested();
  };
  EXPECT_TRUE(tg::map_results(group, std::vector{1}, stops).at(0).get());
}

TEST(Map, leaves_the_failures_to_the_join_when_it_is_interrupted) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  ThreadGroup callers("callers");
  std::binary_semaphore running(0);
  std::binary_semaphore go(0);
  const auto caller = callers.add_task([&] {
    tg::map(group, std::vector{0, 1}, [&](int i) {
      if (i == 0) throw std::domain_error("not lost");
      running.release();
      go.acquire();
    });
  });
  running.acquire();  // the first has failed: the group runs one at a time
  callers.set_event();
  EXPECT_THROW(caller.get(), tg::WaitInterrupted);
  go.release();
  EXPECT_THROW(group.join(), std::domain_error);
}

// Its copies throw, as if there were no memory.
struct NoCopy {
  explicit NoCopy(int i) : number(i) {}
  NoCopy(const NoCopy& other) : number(other.number) {
    if (number == 1) throw std::range_error("no copy");
  }
  int number;
};

TEST(Map, that_fails_midway_waits_for_the_tasks_it_has_begun) {
  const auto check = [](const auto& elements, auto&& number_of) {
    ThreadGroup group("g");
    std::binary_semaphore left(0);
    std::atomic<bool> ended{false};
    const auto runs_on = [&](const auto& element) {
      EXPECT_EQ(number_of(element), 0);
      const bool was_left = left.try_acquire_for(100ms);  // time for a map that does not wait
      ended = true;
      EXPECT_FALSE(was_left);
      throw std::domain_error("told to the join");
    };
    EXPECT_THROW(tg::map_results(group, elements, runs_on), std::range_error);
    EXPECT_TRUE(ended);
    left.release();
    EXPECT_THROW(group.join(), std::domain_error);
  };
  check(Elements(2,
                 [](int i) {
                   if (i == 1) throw std::range_error("no element");
                   return i;
                 }),
        [](int i) { return i; });
  std::vector<NoCopy> elements;
  elements.reserve(2);
  elements.emplace_back(0);
  elements.emplace_back(1);
  check(elements, [](const NoCopy& element) { return element.number; });
}

// --- Where a task was added ---

std::string this_line(const tg::SourceLocation& where) { return to_string(where); }

TEST(AddedAt, a_failure_names_file_and_line) {
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  std::uint32_t line = __LINE__;
  group.post([] { throw std::runtime_error("x"); });
  const auto handle = group.add_task([](int) { throw std::runtime_error("y"); }, 1);
  group.add_task(tg::TaskName{"named"}, [] { throw std::runtime_error("z"); });
  const std::vector<tg::Failure> failures = group.wait_idle().failures;
  ASSERT_EQ(failures.size(), 3u);
  for (const tg::Failure& failure : failures) {
    EXPECT_EQ(this_line(failure.where), "map_test.cpp:" + std::to_string(++line));
  }
  EXPECT_EQ(handle.added_at().line, failures[1].where.line);
  const std::string text = tg::TaskFailures("MainThread/g", failures).what();
  EXPECT_NE(text.find("'named': z (added at map_test.cpp:" + std::to_string(line) + ")"), std::string::npos)
      << text;
}

TEST(AddedAt, is_known_for_up_to_three_arguments_and_costs_a_posted_task_nothing) {
  ThreadGroup group("g");
  EXPECT_EQ(group.add_task([] {}).added_at().line, static_cast<std::uint32_t>(__LINE__));
  EXPECT_EQ(group.add_task([](int) {}, 1).added_at().line, static_cast<std::uint32_t>(__LINE__));
  EXPECT_EQ(group.add_task([](int, int) {}, 1, 2).added_at().line, static_cast<std::uint32_t>(__LINE__));
  const auto three = group.add_task([](int, int, int) {}, 1, 2, 3).added_at();
  EXPECT_EQ(three.line, static_cast<std::uint32_t>(__LINE__ - 1));
  EXPECT_EQ(group.add_task([](int, int, int, int) {}, 1, 2, 3, 4).added_at().line, 0u);
  struct Callable {
    void* captured;
    void operator()() const {}
  };
  EXPECT_EQ(sizeof(tg::detail::PostedTask<tg::detail::CallFor<Callable>>), 24 + sizeof(Callable));
}

TEST(AddedAt, the_reason_of_a_group_that_a_failure_stopped_names_it_too) {
  ThreadGroup group("g", {.on_failure = OnFailure::set_event});
  group.post([] { throw std::runtime_error("x"); });
  EXPECT_EQ(group.wait_idle().failures.size(), 1u);
  ASSERT_TRUE(group.reason());
  EXPECT_EQ(group.reason()->where.line, static_cast<std::uint32_t>(__LINE__ - 3));
}

TEST(AddedAt, is_not_a_line_of_the_library) {
  try {
    tg::map(std::vector{2}, all_but_two);
    FAIL() << "no error";
  } catch (const tg::TaskFailures& e) {
    EXPECT_EQ(this_line(e.failures()[0].where), "map_test.cpp:" + std::to_string(__LINE__ - 3));
  }
}

int refuses() { throw std::runtime_error("refused"); }
int refuses_it(int) { return refuses(); }

std::string in_line(std::uint32_t line) { return "map_test.cpp:" + std::to_string(line); }

TEST(AddedAt, of_a_registered_function_is_where_it_was_registered) {
  ThreadGroup group("g");
  std::uint32_t line = __LINE__;
  group.register_function("literal", refuses);
  group.register_function(std::string("string"), refuses_it, 1);
  TG_REGISTER(group, refuses);
  group.register_function(tg::create_function("created", refuses));
  try {
    group.execute();
    FAIL() << "no error";
  } catch (const tg::FunctionFailures& e) {
    ASSERT_EQ(e.failures().size(), 4u);
    for (const tg::Failure& failure : e.failures())
      EXPECT_EQ(this_line(failure.where), in_line(++line)) << failure.task;
    const std::string text = e.what();
    EXPECT_NE(text.find("'created': refused (added at " + in_line(line) + ")"), std::string::npos) << text;
  }
  for (auto& result : group.as_completed()) EXPECT_EQ(result.handle().added_at().file, std::string(__FILE__));
}

TEST(AddedAt, of_a_candidate_is_where_the_race_was_called) {
  const auto check = [](std::size_t count, auto&& race) {
    std::uint32_t line = 0;
    try {
      race(line);
      FAIL() << "no error";
    } catch (const tg::FunctionFailures& e) {
      ASSERT_EQ(e.failures().size(), count);
      for (const tg::Failure& failure : e.failures()) EXPECT_EQ(failure.where.line, line) << count;
    }
  };
  const auto f = refuses;
  check(1, [&](std::uint32_t& line) { line = __LINE__, tg::first_of(f); });
  check(2, [&](std::uint32_t& line) { line = __LINE__, tg::first_of(f, f); });
  check(3, [&](std::uint32_t& line) { line = __LINE__, tg::first_of(f, f, f); });
  check(4, [&](std::uint32_t& line) { line = __LINE__, tg::first_of(f, f, f, f); });
  check(5, [&](std::uint32_t&) { tg::first_of(f, f, f, f, f); });  // unknown
  const std::vector<std::function<int()>> five(5, f);
  check(5, [&](std::uint32_t& line) { line = __LINE__, tg::first_of(five); });
}

// --- The picture ---

TEST(Picture, shows_the_running_tasks_and_how_the_others_ended) {
  std::latch go(1);
  std::latch running(1);
  ThreadGroup group("g", {.max_concurrent_threads = 1});
  const auto failed = group.add_task([] { throw std::runtime_error("x"); });
  group.post([] {});
  group.add_task(tg::TaskName{"long one"}, [&] {
    running.count_down();
    go.wait();
  });
  running.wait();
  const std::string text = to_text(tg::ThreadEventsController::instance().snapshot());
  EXPECT_NE(text.find("g  [0 pending, 1 running (long one for "), std::string::npos) << text;
  EXPECT_NE(text.find(" s), 2 done: 1 failed]"), std::string::npos) << text;
  go.count_down();
  EXPECT_THROW(failed.get(), std::runtime_error);
}

}  // namespace
}  // namespace map_test
