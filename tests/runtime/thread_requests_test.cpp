// SPDX-License-Identifier: Apache-2.0
// The list of requests for threads: its order, and the threads that serve it.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <latch>

#include <sys/resource.h>

#include "runtime/faults.hpp"
#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/thread_requests.hpp"
#include "runtime/threads.hpp"

#include "support/eventually.hpp"
#include "support/thread_cache.hpp"

namespace tg::inline v0::runtime {
namespace thread_requests_test {
namespace {

using test::eventually;

Job numbered(std::uintptr_t number) { return {nullptr, reinterpret_cast<void*>(number)}; }
std::uintptr_t number_of(Job job) { return reinterpret_cast<std::uintptr_t>(job.argument); }

TEST(RequestList, is_served_in_the_order_of_the_requests) {
  ThreadRequest first(numbered(1));
  ThreadRequest second(numbered(2));
  ThreadRequest third(numbered(3));
  RequestList list;
  EXPECT_TRUE(list.empty());
  list.add(first);
  list.add(second);
  list.add(third);
  EXPECT_TRUE(list.holds(second));
  EXPECT_EQ(number_of(list.take()), 1U);
  EXPECT_EQ(number_of(list.take()), 2U);
  EXPECT_FALSE(list.holds(second));
  EXPECT_EQ(number_of(list.take()), 3U);
  EXPECT_TRUE(list.empty());
}

TEST(RequestList, one_that_wants_more_threads_queues_behind_the_others_after_each) {
  ThreadRequest greedy(numbered(1));
  ThreadRequest modest(numbered(2));
  RequestList list;
  list.add(greedy);
  list.add(greedy);
  list.add(greedy);
  list.add(modest);
  EXPECT_EQ(number_of(list.take()), 1U);
  EXPECT_EQ(number_of(list.take()), 2U);
  EXPECT_EQ(number_of(list.take()), 1U);
  EXPECT_EQ(number_of(list.take()), 1U);
  EXPECT_TRUE(list.empty());
}

TEST(RequestList, gives_back_a_request_for_one_thread_at_a_time) {
  ThreadRequest first(numbered(1));
  ThreadRequest middle(numbered(2));
  ThreadRequest last(numbered(3));
  RequestList list;
  EXPECT_FALSE(list.withdraw(middle));
  list.add(first);
  list.add(middle);
  list.add(middle);
  list.add(last);
  EXPECT_TRUE(list.withdraw(middle));
  EXPECT_TRUE(list.holds(middle));
  EXPECT_TRUE(list.withdraw(middle));
  EXPECT_FALSE(list.holds(middle));
  EXPECT_FALSE(list.withdraw(middle));
  EXPECT_EQ(number_of(list.take()), 1U);
  EXPECT_EQ(number_of(list.take()), 3U);
  EXPECT_TRUE(list.empty());
}

class ThreadRequests : public test::EmptyThreadCache {
 protected:
  int request(ThreadRequest& request) {
    int error = 0;
    static_cast<void>(cache.request(request, false, error));
    return error;
  }
};

TEST_F(ThreadRequests, each_has_a_thread_of_its_own_while_the_jobs_block) {
  constexpr int kJobs = 50;
  std::latch all_there(kJobs);
  const Job job{[](void* latch) noexcept { static_cast<std::latch*>(latch)->arrive_and_wait(); }, &all_there};
  std::deque<ThreadRequest> requests;
  for (int i = 0; i < kJobs; ++i) {
    ThreadRequest& one = requests.emplace_back(job);
    EXPECT_EQ(request(one), 0);
  }
  all_there.wait();  // ends only if all of them run together
  settle();
  EXPECT_GE(cache.statistics().created, 50U);
}

TEST_F(ThreadRequests, of_one_job_bring_it_several_threads) {
  constexpr int kThreads = 20;
  std::latch all_there(kThreads);
  ThreadRequest one(
      {[](void* latch) noexcept { static_cast<std::latch*>(latch)->arrive_and_wait(); }, &all_there});
  for (int i = 0; i < kThreads; ++i) EXPECT_EQ(request(one), 0);
  all_there.wait();
  EXPECT_FALSE(cache.withdraw(one));
  settle();
}

// How often threads of this process have gone to sleep.
long sleeps() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nvcsw;
}

TEST_F(ThreadRequests, of_many_short_jobs_wake_few_threads) {
  constexpr int kJobs = 20'000;
  std::atomic<int> left{0};
  const Job job{[](void* raw) noexcept { static_cast<std::atomic<int>*>(raw)->fetch_sub(1); }, &left};
  std::deque<ThreadRequest> requests;
  for (int i = 0; i < kJobs; ++i) requests.emplace_back(job);
  // With a wake-up for each job, some thread sleeps before each. A busy machine may spoil one try.
  bool few = false;
  for (int tries = 0; tries < 10 && !few; ++tries) {
    const long before = sleeps();
    left = kJobs;
    for (ThreadRequest& one : requests) ASSERT_EQ(request(one), 0);
    eventually([&] { return left == 0; });
    few = sleeps() - before < kJobs / 4;
    settle();
  }
  EXPECT_TRUE(few);
}

TEST_F(ThreadRequests, that_is_refused_is_in_the_list_no_more) {
  ThreadRequest one({[](void*) noexcept {}, nullptr});
  faults::refuse_threads(1);
  EXPECT_EQ(request(one), EAGAIN);
  EXPECT_FALSE(cache.withdraw(one));
  EXPECT_FALSE(ThreadCache::instance().is_short_of_threads());
  EXPECT_FALSE(ThreadCache::instance().has_requests());
}

TEST_F(ThreadRequests, that_waits_in_a_shortage_says_why_and_can_be_withdrawn) {
  ThreadRequest one({[](void*) noexcept {}, nullptr});
  faults::refuse_threads(1'000'000);
  ASSERT_EQ(request(one), EAGAIN);
  cache.request_when_possible(one);
  EXPECT_TRUE(ThreadCache::instance().is_short_of_threads());
  EXPECT_EQ(cache.refusal_of(one).error, EAGAIN);
  EXPECT_EQ(cache.refusal_of(one).threads, 1U);
  EXPECT_TRUE(cache.withdraw(one));
  EXPECT_FALSE(ThreadCache::instance().is_short_of_threads());
  EXPECT_EQ(cache.refusal_of(one).error, 0);
}

TEST_F(ThreadRequests, that_the_system_refused_send_for_one_another_once_there_is_a_thread) {
  constexpr int kJobs = 5;
  std::latch all_there(kJobs);
  const Job job{[](void* latch) noexcept { static_cast<std::latch*>(latch)->arrive_and_wait(); }, &all_there};
  std::deque<ThreadRequest> requests;
  faults::refuse_threads(1'000'000);
  for (int i = 0; i < kJobs; ++i) {
    ThreadRequest& one = requests.emplace_back(job);
    ASSERT_EQ(request(one), EAGAIN);
    cache.request_when_possible(one);
  }
  faults::refuse_threads(0);
  eventually([&] {
    cache.ask_again();
    return !ThreadCache::instance().has_requests();
  });
  all_there.wait();
  EXPECT_FALSE(ThreadCache::instance().is_short_of_threads());
  settle();
}

}  // namespace
}  // namespace thread_requests_test
}  // namespace tg::inline v0::runtime
