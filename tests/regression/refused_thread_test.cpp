// SPDX-License-Identifier: Apache-2.0
// What happens between the moment in which a thread is asked for and the one in which the system refuses it.
#include <dlfcn.h>
#include <pthread.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <latch>
#include <semaphore>
#include <system_error>
#include <thread>
#include <utility>

#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "runtime/threads.hpp"
#include "support/eventually.hpp"

// A sanitizer has its own `pthread_create` in the program, so that ours would switch it off.
#if !TG_THREAD_SANITIZER && !TG_ADDRESS_SANITIZER

namespace tg::refused_thread_test {
namespace {
std::atomic<bool> refuse{false};
std::function<void()> meanwhile;  // set before `refuse`; called by the first thread that is refused
}  // namespace
}  // namespace tg::refused_thread_test

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                              void* argument) noexcept {
  using Create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static Create* const create = reinterpret_cast<Create*>(::dlsym(RTLD_NEXT, "pthread_create"));
  using namespace tg::refused_thread_test;
  if (!refuse) return create(thread, attributes, run, argument);
  if (meanwhile) std::exchange(meanwhile, nullptr)();
  return EAGAIN;
}

namespace tg {
namespace refused_thread_test {
namespace {

using namespace std::chrono_literals;
using runtime::ThreadCache;

class RefusedThread : public testing::Test {
 protected:
  void SetUp() override {
    cache.set_limits(0, ThreadCache::kDefaultIdleTime);
    test::eventually([&] { return cache.statistics().threads == 0; });
  }
  void TearDown() override {
    refuse = false;
    cache.set_limits(ThreadCache::kDefaultMaxIdle, ThreadCache::kDefaultIdleTime);
  }
  static void refuse_after(std::function<void()> call) {
    meanwhile = std::move(call);
    refuse = true;
  }
  ThreadCache& cache = ThreadCache::instance();
};

TEST_F(RefusedThread, task_that_another_thread_added_meanwhile_runs) {
  ThreadGroup group("group");
  TaskHandle<int> accepted;
  refuse_after([&] {
    refuse = false;
    accepted = group.add_task([] { return 7; });
  });
  EXPECT_THROW(group.post([] {}), std::system_error);
  ASSERT_TRUE(accepted.valid());
  EXPECT_EQ(accepted.get(), 7);
  EXPECT_EQ(group.statistics().total(), 1u);
}

TEST_F(RefusedThread, thread_is_asked_for_no_more_once_the_tasks_that_want_it_are_skipped) {
  ThreadGroup group("group");
  TaskHandle<void> accepted;
  refuse_after([&] { accepted = group.add_task([] {}); });
  EXPECT_THROW(group.post([] {}), std::system_error);
  EXPECT_TRUE(ThreadCache::instance().is_short_of_threads());
  EXPECT_EQ(group.statistics().thread_error, EAGAIN);
  group.set_event("enough");
  EXPECT_EQ(accepted.status(), TaskStatus::skipped);
  EXPECT_FALSE(ThreadCache::instance().is_short_of_threads());
  EXPECT_EQ(group.statistics().thread_error, 0);
}

TEST_F(RefusedThread, lender_that_came_back_meanwhile_has_its_slot) {
  ThreadGroup group("group", {.max_concurrent_threads = 2});
  std::latch both_added(1);
  std::binary_semaphore lender_is_back(0);
  TaskHandle<bool> other;
  group.post([&] {
    both_added.wait();
    static_cast<void>(other.wait(20ms));
    lender_is_back.release();
  });
  other = group.add_task([&] {
    both_added.wait();
    // Long enough for the lender to be back, and to wait for its slot.
    refuse_after([] { test::leave_time(200ms); });
    group.post([] {});
    const bool is_back = lender_is_back.try_acquire_for(10s);
    refuse = false;
    return is_back;
  });
  both_added.count_down();
  EXPECT_TRUE(other.get()) << "a worker without a thread keeps the slot";
  static_cast<void>(group.join());
}

TEST_F(RefusedThread, time_limit_that_has_passed_meanwhile_is_given_up_once) {
  refuse_after([] {
    refuse = false;
    // Its flow passes the limit of the group that is being made, too.
    ThreadGroup other("other", {.time_limit = 1ms});
    test::eventually([&] { return other.event_is_set(); });
  });
  EXPECT_THROW(ThreadGroup("group", {.time_limit = Duration()}), std::system_error);
}

}  // namespace
}  // namespace refused_thread_test
}  // namespace tg

#endif
