// SPDX-License-Identifier: Apache-2.0
// A stop at each instruction of a call: the thread makes single steps, and at one of them the group is stopped.
#include <gtest/gtest.h>

#include "base/sanitizers.hpp"

#if defined(__x86_64__) && !TG_ADDRESS_SANITIZER && !TG_THREAD_SANITIZER
#include <poll.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "support/eventually.hpp"
#include "support/in_child.hpp"
#include "support/pipe.hpp"
#include "support/threads_asleep.hpp"

namespace tg::test {
namespace stepped_test {
namespace {

using namespace std::chrono_literals;

constexpr greg_t kTrapFlag = 0x100;  // of the processor: a SIGTRAP after each instruction

// Shared with the handler, which runs on the thread that makes the steps.
std::atomic<int> steps_left{0};
std::atomic<bool> is_reached{false};
std::atomic<bool> is_stopped{false};

// After the last step it holds the thread until the stop is made, or for 2 ms: the setter may wait for a lock that the
// thread holds.
void count_step(int, siginfo_t*, void* context) {
  if (--steps_left > 0) return;
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~kTrapFlag;
  is_reached = true;
  timespec begin{};
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &begin);
  do {
    ::clock_gettime(CLOCK_MONOTONIC, &now);
  } while (!is_stopped &&
           (now.tv_sec - begin.tv_sec) * 1'000'000'000 + now.tv_nsec - begin.tv_nsec < 2'000'000);
}

class Stepping : public testing::Test {
 protected:
  void SetUp() override {
    struct sigaction action {};
    action.sa_sigaction = &count_step;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigaction(SIGTRAP, &action, &before_);
  }
  void TearDown() override { ::sigaction(SIGTRAP, &before_, nullptr); }

  // A task reads from a pipe, and is stopped at its n-th instruction from there on. Returns the call's `errno`, or 0 if it
  // read a byte: then the stop was lost.
  template <class Read>
  int read_and_stop_at(int step, Read read) {
    is_reached = is_stopped = false;
    steps_left = step;
    std::atomic<int> thread{0};
    std::atomic<bool> has_returned{false};
    int error = 0;
    ThreadGroup group("stepped");
    group.post([&] {
      char byte = 0;
      if (has_called_before_) read(-1, &byte);
      thread = this_thread_number();
      asm volatile("pushfq\n orq $0x100, (%%rsp)\n popfq" ::: "memory", "cc");
      const ssize_t got = read(pipe_.reading(), &byte);
      asm volatile("pushfq\n andq $~0x100, (%%rsp)\n popfq" ::: "memory", "cc");
      error = got < 0 ? errno : 0;
      has_returned = true;
    });
    eventually([&] { return thread != 0; });
    // The thread has come to the step, or is in the kernel: then the stop comes to a call that blocks.
    eventually([&] { return is_reached || has_returned || is_asleep(thread); });
    was_in_the_kernel_ = !is_reached;
    const int taken = step - steps_left;
    group.set_event("stop");
    is_stopped = true;
    if (!group.join(patience_)) {
      ++lost_;
      EXPECT_EQ(::write(pipe_.writing(), "x", 1), 1);
      group.join();
      if (error != 0) {
        EXPECT_EQ(::read(pipe_.reading(), &byte_, 1), 1);  // the task ended meanwhile
      }
    }
    if (was_in_the_kernel_) steps_to_kernel_ = taken;
    return error;
  }

  // The number of instructions up to the kernel, in which the read then sleeps.
  template <class Read>
  int count_steps(Read read) {
    read_and_stop_at(1'000'000, read);
    EXPECT_TRUE(was_in_the_kernel_);
    return steps_to_kernel_;
  }

  const Pipe pipe_;
  bool has_called_before_ = true;  // under its group, so that the flow is registered
  Duration patience_ = 30s;        // how long a stop may take
  int lost_ = 0;
  bool was_in_the_kernel_ = false;
  int steps_to_kernel_ = 0;

 private:
  char byte_ = 0;
  struct sigaction before_ {};
};

// Each of the last instructions, and a part of those before.
constexpr int kLast = 150;
int step_before(int step, int all) { return step - (step > all - kLast ? 1 : 17); }

TEST_F(Stepping, a_stop_at_each_instruction_ends_the_call) {
  const auto read = [](int fd, char* byte) { return posix::read(fd, byte, 1); };
  for (const bool has_called_before : {true, false}) {
    has_called_before_ = has_called_before;
    const int all = count_steps(read);
    std::printf("             %d instructions up to the kernel\n", all);
    EXPECT_GT(all, 50) << "it was seen asleep before it came to the call";
    for (int step = all; step > 0 && !HasFailure(); step = step_before(step, all))
      EXPECT_EQ(read_and_stop_at(step, read), ECANCELED) << "stopped at instruction " << step;
  }
  EXPECT_EQ(lost_, 0);
}

// Shows that the test finds the race: a look at the event, and then the call.
TEST_F(Stepping, a_look_before_the_call_loses_the_stop_in_between) {
  const auto read = [](int fd, char* byte) -> ssize_t {
    if (!thread_utils::event_is_set()) return ::read(fd, byte, 1);
    errno = ECANCELED;
    return -1;
  };
  patience_ = 3s;
  const int all = count_steps(read);
  EXPECT_EQ(lost_, 1) << "nothing wakes a plain `read`";
  lost_ = 0;
  for (int step = all - 1; step > 0 && lost_ == 0; --step) read_and_stop_at(step, read);
  EXPECT_EQ(lost_, 1);
  EXPECT_FALSE(was_in_the_kernel_);
}

// --- A handler of the program, at instructions of the end of a scope: the first ones, and then fewer and fewer ---

int silent = -1;

void call_at_step(int, siginfo_t*, void* context) {
  if (--steps_left > 0) return;
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~kTrapFlag;
  is_reached = true;
  const int error = errno;
  pollfd one{silent, POLLIN, 0};
  posix::poll(&one, 1, 4);
  errno = error;
}

// The scope around it is stopped while the handler is in its call. Exit status 0: all is well; 2: no step was left.
[[noreturn]] void leave_scope_with_handler_at(int step) {
  struct sigaction action {};
  action.sa_sigaction = &call_at_step;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  ::sigaction(SIGTRAP, &action, nullptr);
  steps_left = step;
  is_reached = false;
  std::atomic<bool> is_over{false};
  StopScope outer;
  std::thread([&] {
    eventually([&] { return is_reached || is_over; });
    leave_time(1ms);
    outer.set_event("stop");
  }).detach();
  {
    const StopScope inner;
    char byte = 0;
    posix::read(-1, &byte, 1);
    asm volatile("pushfq\n orq $0x100, (%%rsp)\n popfq" ::: "memory", "cc");
  }
  asm volatile("pushfq\n andq $~0x100, (%%rsp)\n popfq" ::: "memory", "cc");
  is_over = true;
  pollfd one{silent, POLLIN, 0};
  const bool is_stopped_here = posix::poll(&one, 1, 10'000) == -1 && errno == ECANCELED;
  ::_exit(!is_stopped_here ? 1 : is_reached ? 0 : 2);
}

TEST(SteppedScope, whose_end_is_interrupted_by_a_handler_that_makes_a_call_ends_well) {
  const Pipe pipe;
  silent = pipe.reading();
  int status = 0;
  int step = 0;
  while (status == 0) {
    step += 1 + step / 40;
    status = status_of(start_child([&] { leave_scope_with_handler_at(step); }));
  }
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2) << "at step " << step << ": " << status;
  EXPECT_GT(step, 50);
}

}  // namespace
}  // namespace stepped_test
}  // namespace tg::test
#else
namespace tg::test {
namespace stepped_test {
TEST(Stepping, a_stop_at_each_instruction_ends_the_call) { GTEST_SKIP() << "needs x86-64 and no sanitizer"; }
}  // namespace stepped_test
}  // namespace tg::test
#endif
