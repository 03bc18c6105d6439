// SPDX-License-Identifier: Apache-2.0
// A destructor that waits for long says what for.
#include <gtest/gtest.h>

#include <unistd.h>

#include <latch>
#include <stdexcept>
#include <string>

#include <threadgroup/threadgroup.hpp>

using namespace std::chrono_literals;
using tg::ThreadEventsController;
using tg::ThreadGroup;

namespace destructor_test {
namespace {

// What is written to stderr, line by line while it is written.
class Stderr {
 public:
  Stderr() : real_(::dup(STDERR_FILENO)) {
    if (::pipe(pipe_) != 0) throw std::runtime_error("no pipe");
    ::dup2(pipe_[1], STDERR_FILENO);
  }
  ~Stderr() {
    ::dup2(real_, STDERR_FILENO);
    for (const int fd : {real_, pipe_[0], pipe_[1]}) ::close(fd);
  }
  std::string read_line() {
    std::string line;
    for (char c = 0; ::read(pipe_[0], &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }

 private:
  const int real_;
  int pipe_[2];
};

struct WarnsAfter {
  explicit WarnsAfter(tg::Duration time) { ThreadEventsController::instance().set_destructor_warning(time); }
  ~WarnsAfter() { ThreadEventsController::instance().set_destructor_warning(5s); }
};

}  // namespace

TEST(Destructor, that_waits_for_long_names_the_tasks_that_still_run_and_repeats_it) {
  const WarnsAfter soon(5ms);
  Stderr out;
  std::string first;
  std::string second;
  {
    ThreadGroup group("slow");
    std::latch running(1);
    group.post([&] {
      running.count_down();
      first = out.read_line();  // the task ends when it has been named twice
      second = out.read_line();
    });
    running.wait();
  }
  for (const std::string& line : {first, second}) {
    EXPECT_TRUE(line.starts_with("threadgroup: after ")) << line;
    EXPECT_NE(line.find(" s in its destructor, group 'MainThread/slow' still runs task 'task 1' (for "),
              std::string::npos)
        << line;
  }
}

TEST(Destructor, that_has_nothing_to_wait_for_says_nothing) {
  const WarnsAfter at_once(1ns);
  testing::internal::CaptureStderr();
  {
    ThreadGroup group("quick");
    group.add_task([] {}).get();
    EXPECT_TRUE(group.join());
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Destructor, warning_needs_a_time_above_zero) {
  EXPECT_THROW(ThreadEventsController::instance().set_destructor_warning(0s), std::invalid_argument);
  EXPECT_THROW(ThreadEventsController::instance().set_destructor_warning(-1s), std::invalid_argument);
  ThreadEventsController::instance().set_destructor_warning(tg::Duration::max());  // never
  ThreadEventsController::instance().set_destructor_warning(5s);
}

}  // namespace destructor_test
