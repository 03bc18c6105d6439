// SPDX-License-Identifier: Apache-2.0
// What a stopped task still writes, because it does not wait.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <stop_token>
#include <string>
#include <thread>

#include <threadgroup/threadgroup.hpp>

#include "support/forbidden_call.hpp"
#include "support/pipe.hpp"

namespace tg::test {
namespace output_test {
namespace {

using namespace std::chrono_literals;

class StoppedWriter : public testing::Test {
 protected:
  StoppedWriter() { scope_.set_event("stop"); }
  StopScope scope_;
};

// Before Linux 6.4 the kernel could not try to write to a pipe (RWF_NOWAIT). Here it is made to refuse that.
void expect_success_where_the_kernel_cannot_try(void (*write_and_exit)()) {
  if (!can_forbid()) GTEST_SKIP() << kNeedsFilters;
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        if (!forbid(SYS_pwritev2, EOPNOTSUPP)) ::_exit(2);
        write_and_exit();
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(StoppedWriter, writes_what_a_pipe_has_room_for) {
  const Pipe pipe;
  EXPECT_EQ(::write(pipe.writing(), "abc", 3), 3);
  const iovec part{const_cast<char*>("de"), 2};
  EXPECT_EQ(::writev(pipe.writing(), &part, 1), 2);
  const std::string much(1 << 20, 'x');
  const ssize_t written = ::write(pipe.writing(), much.data(), much.size());
  EXPECT_GT(written, 0);
  EXPECT_LT(written, 1 << 20);
  pipe.fill();
  EXPECT_EQ(::write(pipe.writing(), "f", 1), -1);
  EXPECT_EQ(errno, ECANCELED);
}

TEST_F(StoppedWriter, writes_to_a_terminal) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_TRUE(::grantpt(terminal) == 0 && ::unlockpt(terminal) == 0);
  EXPECT_EQ(::write(terminal, "abc", 3), 3);
  ::close(terminal);
}

// Ends the program. In each round two threads write at the same time, the pipe has room for one of them, and no thread reads.
void write_by_two_stopped_threads() {
  constexpr std::size_t kPage = 4'096;
  const auto end = std::chrono::steady_clock::now() + 2s;
  const Pipe pipe;
  std::array<char, kPage> page{};
  std::atomic<int> round{0};
  std::atomic<int> written{0};
  std::atomic<int> refused{0};
  const auto write_a_page = [&] {
    const std::array<char, kPage> bytes{};
    StopScope scope;
    scope.set_event("stop");
    if (::write(pipe.writing(), bytes.data(), kPage) == kPage) ++written;
    else if (errno == ECANCELED) ++refused;
    else ::_exit(3);
  };
  std::jthread other([&] {
    for (int mine = 1;; ++mine) {
      // At first without sleep, so that both begin at the same moment.
      for (int looks = 0; round < mine; ++looks)
        if (looks > 1'000) std::this_thread::yield();
      write_a_page();
    }
  });
  int all = 0;
  while (std::chrono::steady_clock::now() < end) {
    ++all;
    pipe.fill();
    if (::read(pipe.reading(), page.data(), kPage) != kPage) ::_exit(4);
    round = all;
    write_a_page();
    while (written + refused < 2 * all) std::this_thread::yield();
  }
  const bool still_blocks = (::fcntl(pipe.writing(), F_GETFL) & O_NONBLOCK) == 0;
  ::_exit(written == all && still_blocks ? 0 : 5);
}

// Ends the program.
void write_packets() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_DIRECT) != 0) ::_exit(3);
  StopScope scope;
  scope.set_event("stop");
  for (int i = 0; i < 2; ++i)
    if (::write(ends[1], "one", 3) != 3) ::_exit(4);
  const Shield shield(10s);
  std::array<char, 8> bytes{};
  ::_exit(::read(ends[0], bytes.data(), bytes.size()) == 3 ? 0 : 5);
}

TEST(StoppedWriterDeathTest, keeps_packets_apart_in_a_pipe_where_the_kernel_cannot_try) {
  expect_success_where_the_kernel_cannot_try(&write_packets);
}

// Ends the program. Another thread prints all the time.
void write_while_the_standard_output_is_closed() {
  const Pipe pipe;
  ::fcntl(pipe.reading(), F_SETFL, O_NONBLOCK);
  ::close(STDOUT_FILENO);
  std::atomic<int> printed{0};
  std::jthread other([&](const std::stop_token& over) {
    while (!over.stop_requested()) printed += ::syscall(SYS_write, STDOUT_FILENO, "stray", 5) == 5 ? 1 : 0;
  });
  StopScope scope;
  scope.set_event("stop");
  std::array<char, 64> bytes{};
  const auto end = std::chrono::steady_clock::now() + 500ms;
  while (printed == 0 && std::chrono::steady_clock::now() < end) {
    if (::write(pipe.writing(), "x", 1) != 1) ::_exit(3);
    while (::syscall(SYS_read, pipe.reading(), bytes.data(), bytes.size()) > 0) {
    }
  }
  ::_exit(printed == 0 ? 0 : 4);
}

TEST(StoppedWriterDeathTest, lends_no_number_of_a_closed_standard_output_to_a_pipe) {
  expect_success_where_the_kernel_cannot_try(&write_while_the_standard_output_is_closed);
}

// Ends the program. The writer has a table of descriptors of its own; in that of the main thread its number is another pipe.
void write_from_a_table_of_its_own() {
  const Pipe pipe;
  const Pipe of_main_thread;
  std::jthread([&] {
    if (::unshare(CLONE_FILES) != 0) ::_exit(0);  // some sandboxes forbid it
    ::dup2(pipe.writing(), of_main_thread.writing());
    StopScope scope;
    scope.set_event("stop");
    if (::write(of_main_thread.writing(), "x", 1) != 1) ::_exit(3);
  }).join();
  ::_exit(of_main_thread.drain() == 0 && pipe.drain() == 1 ? 0 : 4);
}

TEST(StoppedWriterDeathTest, writes_to_the_pipe_of_its_own_thread) {
  expect_success_where_the_kernel_cannot_try(&write_from_a_table_of_its_own);
}

TEST(StoppedWriterDeathTest, does_not_wait_for_room_in_a_pipe_where_the_kernel_cannot_try) {
  expect_success_where_the_kernel_cannot_try(&write_by_two_stopped_threads);
}

// Ends the program.
void write_in_a_stopped_scope_and_after_it() {
  const Pipe pipe;
  ::dup2(pipe.writing(), 1);
  std::ios::sync_with_stdio(false);
  {
    StopScope scope;
    scope.set_event("stop");
    std::cout << "from a stopped scope\n" << std::flush;
  }
  std::cout << "and after it\n" << std::flush;
  std::array<char, 4096> bytes{};
  const ssize_t count = ::read(pipe.reading(), bytes.data(), bytes.size());
  const std::string written(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  ::_exit(written.find("from a stopped scope\nand after it\n") != std::string::npos ? 0 : 1);
}

TEST(StoppedWriterDeathTest, does_not_break_the_standard_output) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(write_in_a_stopped_scope_and_after_it(), testing::ExitedWithCode(0), "");
}

// Ends the program with success if it can write to the pipe.
struct WritesWhenDestroyed {
  const Pipe pipe;
  ~WritesWhenDestroyed() { ::_exit(::write(pipe.writing(), "x", 1) == 1 ? 0 : 1); }
};

TEST(StoppedWriterDeathTest, writes_to_pipes_in_destructors_at_exit) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        static const WritesWhenDestroyed log;
        StopScope scope;
        scope.set_event("stop");
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace output_test
}  // namespace tg::test
