// SPDX-License-Identifier: Apache-2.0
// A stop at each instruction of a call: the thread makes single steps, and at one of them the group is stopped.
#include <gtest/gtest.h>

#include "base/sanitizers.hpp"
#include "runtime/processor.hpp"

#if TG_STOPPABLE_CALLS && TG_X86_64 && !TG_ADDRESS_SANITIZER && !TG_THREAD_SANITIZER
#include <poll.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>

#include <threadgroup/posix.hpp>
#include <threadgroup/threadgroup.hpp>

#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "support/eventually.hpp"
#include "support/in_child.hpp"
#include "support/pipe.hpp"
#include "support/signal_handler.hpp"
#include "support/threads_asleep.hpp"
#include "tree/call_registration.hpp"

namespace tg::test {
namespace stepped_test {
namespace {

using namespace std::chrono_literals;

constexpr int kNoStep = 1'000'000;
constexpr greg_t kTrapFlag = 0x100;  // of the processor: a SIGTRAP after each instruction
[[gnu::always_inline]] inline void begin_steps() {
  asm volatile("pushfq\n orq $0x100, (%%rsp)\n popfq" ::: "memory", "cc");
}
[[gnu::always_inline]] inline void end_steps() {
  asm volatile("pushfq\n andq $~0x100, (%%rsp)\n popfq" ::: "memory", "cc");
}

void end_steps_after_handler(void* context) {
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~kTrapFlag;
}

// Shared with the handler, which runs on the thread that makes the steps.
std::atomic<int> steps_left{0};
std::atomic<bool> is_reached{false};
std::atomic<bool> is_stopped{false};

// After the last step it holds the thread until the stop is made, or for 2 ms: the setter may wait for a lock that the
// thread holds.
void count_step(int, siginfo_t*, void* context) {
  if (--steps_left > 0) return;
  end_steps_after_handler(context);
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
      begin_steps();
      const ssize_t got = read(pipe_.reading(), &byte);
      end_steps();
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
    read_and_stop_at(kNoStep, read);
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
  const SignalHandler handler_{SIGTRAP, &count_step};
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
  end_steps_after_handler(context);
  is_reached = true;
  const int error = errno;
  pollfd one{silent, POLLIN, 0};
  posix::poll(&one, 1, 4);
  errno = error;
}

// The scope around it is stopped while the handler is in its call. Exit status 0: all is well; 2: no step was left.
[[noreturn]] void leave_scope_with_handler_at(int step) {
  const SignalHandler handler(SIGTRAP, &call_at_step);
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
    begin_steps();
  }
  end_steps();
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

// --- A handler of the program, at each instruction of the making of a thread's registration ---

// Threads that stay until the end of the process, so that no other thread gets their flows.
class KeptThreads {
 public:
  enum class Then { stays, ends };
  // Runs `f` on a thread with a flow that has never been registered.
  template <class F>
  void run_unregistered(Then then, F f) {
    bool is_done = false;
    while (!is_done) {
      run(then, [&] {
        is_done = runtime::Flow::current().call_registration == nullptr;
        if (is_done) f();
        return is_done;
      });
    }
  }
  // Runs `f` on any thread. With `ends`, that thread ends if `f` returns true.
  template <class F>
  void run(Then then, F f) {
    bool ends = false;
    std::thread thread([&ends, &f, then, has_run = has_run_.writing()] {
      const bool mine_ends = f() && then == Then::ends;
      ends = mine_ends;
      ::write(has_run, "x", 1);
      while (!mine_ends) ::pause();
    });
    char byte = 0;
    ::read(has_run_.reading(), &byte, 1);
    ends ? thread.join() : thread.detach();
  }

 private:
  const Pipe has_run_;
};

void make_first_call_at_step(int, siginfo_t*, void* context) {
  if (--steps_left > 0) return;
  end_steps_after_handler(context);
  const runtime::Flow& flow = runtime::Flow::current();
  is_reached = flow.call_registration == nullptr && !flow.is_registering_calls;
  const int error = errno;
  char byte = 0;
  posix::read(-1, &byte, 1);
  errno = error;
}

// In a child, until the handler comes too late to make the registration.
int make_first_calls_in_handlers() {
  const SignalHandler handler(SIGTRAP, &make_first_call_at_step);
  KeptThreads threads;
  int step = 0;
  do {
    is_reached = false;
    threads.run_unregistered(KeptThreads::Then::stays, [&] {
      const StopScope scope;
      steps_left = ++step;
      begin_steps();
      detail::CallRegistration::of(runtime::Flow::current());
      end_steps();
      char byte = 0;
      posix::read(-1, &byte, 1);
    });
    if (detail::CallRegistration::any()) throw std::runtime_error("at step " + std::to_string(step));
    detail::CallRegistration::report_blocked(runtime::now());  // comes to the end of the list
  } while (is_reached);
  REQUIRE_IN_CHILD(step > 20);
  return 0;
}

TEST(SteppedRegistration, whose_making_is_interrupted_by_a_handler_that_makes_a_call_is_made_once) {
  EXPECT_EQ(in_child(&make_first_calls_in_handlers), 0);
}

sigjmp_buf way_out;

// The steps are those of the making.
void leave_making_at_step(int, siginfo_t*, void* context) {
  const bool is_in_the_making = runtime::Flow::current().is_registering_calls;
  is_reached = is_reached || is_in_the_making;
  if (is_in_the_making && --steps_left == 0) siglongjmp(way_out, 1);
  if (!is_in_the_making && is_reached) end_steps_after_handler(context);
}

void leave_call_at_step(int, siginfo_t*, void*) {
  if (--steps_left == 0) siglongjmp(way_out, 1);
}

bool has_flow_of_other = false;

enum class Left { making, call };

// In a child: the thread ends its scope and itself, and a stop reaches the next one. False: there was no such step.
bool leave_at(int step, Left what, KeptThreads& threads) {
  is_reached = false;
  steps_left = step;
  const runtime::Flow* left = nullptr;
  threads.run_unregistered(KeptThreads::Then::ends, [&] {
    left = &runtime::Flow::current();
    const StopScope scope;
    char byte = 0;
    if (sigsetjmp(way_out, 1) == 0) {
      begin_steps();
      detail::CallRegistration::of(runtime::Flow::current());
      if (what == Left::call) posix::read(-1, &byte, 1);
      end_steps();
    }
    if (posix::read(-1, &byte, 1) != -1 || errno != EBADF) ::_exit(3);
  });
  threads.run(KeptThreads::Then::stays, [&] {
    const StopScope scope(1ms);
    char byte = 0;
    if (posix::read(silent, &byte, 1) != -1 || errno != ECANCELED) ::_exit(4);
    has_flow_of_other = &runtime::Flow::current() == left;
    return true;
  });
  detail::CallRegistration::report_blocked(runtime::now());  // comes to the end of the list
  return steps_left == 0;
}

int leave_making_at_steps() {
  const SignalHandler handler(SIGTRAP, &leave_making_at_step);
  const Pipe pipe;
  silent = pipe.reading();
  KeptThreads threads;
  leave_at(kNoStep, Left::making, threads);
  const int all = kNoStep - steps_left;
  for (int step = all; step > 0; step -= step > all - 100 ? 1 : 9) {
    REQUIRE_IN_CHILD(leave_at(step, Left::making, threads));
    if (detail::CallRegistration::any() || !has_flow_of_other)
      throw std::runtime_error("at step " + std::to_string(step));
  }
  REQUIRE_IN_CHILD(all > 20);
  return 0;
}

TEST(SteppedRegistration, whose_making_is_left_by_siglongjmp_is_made_by_the_next_thread) {
  EXPECT_EQ(in_child(&leave_making_at_steps), 0);
}

int leave_call_at_many_steps() {
  const SignalHandler handler(SIGTRAP, &leave_call_at_step);
  const Pipe pipe;
  silent = pipe.reading();
  KeptThreads threads;
  int step = 1;
  while (leave_at(step, Left::call, threads)) step += 1 + step / 30;
  REQUIRE_IN_CHILD(step > 100);
  return 0;
}

TEST(SteppedRegistration, of_a_call_that_is_left_by_siglongjmp_holds_up_no_thread) {
  EXPECT_EQ(in_child(&leave_call_at_many_steps), 0);
}

}  // namespace
}  // namespace stepped_test
}  // namespace tg::test
#else
namespace tg::test {
namespace stepped_test {
TEST(Stepping, a_stop_at_each_instruction_ends_the_call) {
  GTEST_SKIP() << "needs x86-64, calls that do not poll, and no sanitizer";
}
}  // namespace stepped_test
}  // namespace tg::test
#endif
