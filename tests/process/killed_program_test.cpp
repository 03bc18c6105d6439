// SPDX-License-Identifier: Apache-2.0
// Commands of a program that is killed.
#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <csignal>

#include <threadgroup/process.hpp>
#include <threadgroup/threadgroup.hpp>

#include "process/marked.hpp"
#include "support/eventually.hpp"
#include "support/in_child.hpp"

namespace tg::test {
namespace killed_program_test {
namespace {

using namespace std::chrono_literals;

// Runs `f` in a child that is killed once `f` has made the mark's processes, `count` of them.
template <class F>
void kill_a_program_that_runs(const Mark& mark, std::size_t count, F f) {
  const pid_t program = start_child(f);
  eventually([&] { return mark.count() == count; });
  ::kill(program, SIGKILL);
  status_of(program);
}

TEST(ProcessOfAKilledProgram, is_killed_with_its_descendants) {
  const Mark mark;
  kill_a_program_that_runs(mark, 4, [&] { Process(shell(kStubborn), marked(mark)).wait(); });
  eventually([&] { return mark.count() == 0; });
}

// A plain fork of the program has the socket's end open.
TEST(ProcessOfAKilledProgram, is_killed_although_a_fork_of_the_program_lives) {
  const Mark mark;
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  kill_a_program_that_runs(mark, 1, [&] {
    Process process({"sleep", "1000"}, marked(mark));
    if (::fork() == 0) {
      ::close(ends[1]);
      char byte = 0;
      while (::read(ends[0], &byte, 1) < 0) {
      }
      ::_exit(0);
    }
    process.wait();
  });
  eventually([&] { return mark.count() == 0; });
  ::close(ends[1]);  // ends the fork
  ::close(ends[0]);
}

TEST(ProcessOfAKilledProgram, goes_on_if_it_does_not_end_with_the_program) {
  const Mark mark;
  kill_a_program_that_runs(mark, 1, [&] {
    ProcessOptions options = marked(mark);
    options.ends_with_program = false;
    Process({"sleep", "1000"}, std::move(options)).wait();
  });
  leave_time(100ms);
  ASSERT_EQ(mark.count(), 1U);
  ::kill(mark.processes().at(0), SIGKILL);
  eventually([&] { return mark.count() == 0; });
}

TEST(ProcessOfAKilledProgram, is_killed_when_the_process_group_of_the_program_is_killed) {
  const Mark mark;
  const pid_t program = start_child([&] {
    ::setpgid(0, 0);
    Process(shell(kStubborn), marked(mark)).wait();
  });
  eventually([&] { return mark.count() == 4; });
  ::kill(-program, SIGKILL);
  status_of(program);
  eventually([&] { return mark.count() == 0; });
}

}  // namespace
}  // namespace killed_program_test
}  // namespace tg::test
