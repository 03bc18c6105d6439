// SPDX-License-Identifier: Apache-2.0
// Tasks on the stack of the one that waits for them: small stacks, forks, and what a flow keeps of groups.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <memory>

#include <gtest/gtest.h>

#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "support/in_child.hpp"

namespace helping_test {
namespace {

using tg::ThreadGroup;

int use_much_stack() {
  volatile char large[600 * 1024];
  for (std::size_t i = 0; i < sizeof large; i += 512) large[i] = 1;
  return large[512];
}

// The thread was made with a small stack, and has half of that free.
TEST(Helping, needs_as_much_stack_as_a_thread_of_the_library_has) {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, 256 * 1024);
  pthread_t thread{};
  const auto body = [](void*) -> void* {
    for (int i = 0; i < 20; ++i) {
      ThreadGroup group("deep tasks");
      const auto one = group.add_task(use_much_stack);
      one.get();
      group.post([] { static_cast<void>(use_much_stack()); });
      group.join();
    }
    return nullptr;
  };
  ASSERT_EQ(::pthread_create(&thread, &attributes, body, nullptr), 0);
  ::pthread_attr_destroy(&attributes);
  ASSERT_EQ(::pthread_join(thread, nullptr), 0);
}

// The wait of the joining task was recorded, and its record is the parent's.
int fork_below_a_task(bool by_get) {
  const pid_t parent = ::getpid();
  pid_t child = -1;
  ThreadGroup outer("outer");
  const auto joiner = outer.add_task([&] {
    ThreadGroup inner("inner", {.max_concurrent_threads = 1});
    const auto forks = inner.add_task([&] { child = ::fork(); });
    try {
      by_get ? forks.get() : static_cast<void>(inner.join());
    } catch (const tg::ForkedError&) {  // from the join
    }
    if (::getpid() != parent) ::_exit(0);
  });
  joiner.get();
  int status = -1;
  if (::waitpid(child, &status, 0) != child) return -1;
  return status;
}

TEST(Helping, a_task_may_fork_on_the_stack_of_a_task_that_waits) {
  if (TG_ADDRESS_SANITIZER || TG_THREAD_SANITIZER) GTEST_SKIP() << "forks of several threads";
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(fork_below_a_task(false), 0);
    EXPECT_EQ(fork_below_a_task(true), 0);
  }
}

long resident_kilobytes() {
  long pages = 0;
  long resident = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (std::fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
  std::fclose(file);
  return resident * 4;
}

// Each left 64 bytes with the flow that had made it.
TEST(Groups, that_stop_at_a_failure_leave_nothing_behind) {
  if (TG_ADDRESS_SANITIZER || TG_THREAD_SANITIZER) GTEST_SKIP() << "freed memory is kept for a while";
  const auto make_many = [] {
    for (int i = 0; i < 200'000; ++i) {
      auto first =
          std::make_unique<ThreadGroup>("first", tg::GroupOptions{.on_failure = tg::OnFailure::set_event});
      const ThreadGroup second("second", {.on_failure = tg::OnFailure::set_event});
      first.reset();
    }
  };
  make_many();
  const long before = resident_kilobytes();
  make_many();
  EXPECT_LT(resident_kilobytes() - before, 5'000);
}

}  // namespace
}  // namespace helping_test
