// SPDX-License-Identifier: Apache-2.0
// What commands get and give, and which are refused.
#include <gtest/gtest.h>

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <threadgroup/process.hpp>
#include <threadgroup/threadgroup.hpp>

#include "process/marked.hpp"
#include "runtime/stoppable_call.hpp"
#include "support/eventually.hpp"
#include "support/in_child.hpp"

namespace tg::test {
namespace run_process_test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

TEST(RunProcess, returns_what_the_command_has_written_and_how_it_has_ended) {
  const ProcessResult result = run_process(shell("echo out; echo err >&2; exit 3"));
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(result.status.code, 3);
  EXPECT_EQ(result.status.signal, 0);
  EXPECT_FALSE(result.status.stopped);
  EXPECT_EQ(result.status.killed, 0);
  EXPECT_GT(result.status.max_memory_bytes, 0);
  EXPECT_FALSE(result.status.ok());
  EXPECT_EQ(result.status.text(), "exited with 3");
  EXPECT_FALSE(has_children());
}

TEST(RunProcess, says_which_signal_has_ended_the_command) {
  const ExitStatus status = run_process(shell("kill -9 $$")).status;
  EXPECT_EQ(status.signal, SIGKILL);
  EXPECT_EQ(status.code, -1);
  EXPECT_EQ(status.text(), "killed by signal 9 (Killed)");
}

TEST(RunProcess, finds_programs_in_path) { EXPECT_TRUE(run_process({"true"}).status.ok()); }

TEST(RunProcess, keeps_the_beginning_of_a_long_output_and_counts_the_rest) {
  ProcessOptions options;
  options.out = Output::captured(10);
  const ProcessResult result =
      run_process(shell("head -c 300000 /dev/zero | tr '\\0' x"), std::move(options));
  EXPECT_EQ(result.out, std::string(10, 'x'));
  EXPECT_EQ(result.out_lost, 299'990U);
}

TEST(RunProcess, passes_each_line_to_a_function_even_a_last_one_without_newline) {
  std::vector<std::string> lines;
  ProcessOptions options;
  options.out = Output::lines([&](std::string_view line) { lines.emplace_back(line); });
  options.err = Output::same_as_out();
  EXPECT_TRUE(
      run_process(shell("echo one; echo; echo three >&2; printf four"), std::move(options)).status.ok());
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "", "three", "four"}));
}

TEST(RunProcess, ends_the_command_when_the_function_for_lines_throws) {
  const Mark mark;
  ProcessOptions options = marked(mark);
  options.out = Output::lines([](std::string_view) { throw std::runtime_error("enough"); });
  try {
    run_process(shell("while :; do echo again; done"), std::move(options));
    FAIL();
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "enough");
  }
  EXPECT_EQ(mark.count(), 0U);
}

TEST(RunProcess, connects_text_files_and_descriptors_to_input_and_output) {
  EXPECT_EQ(run_process({"cat"}).out, "");
  ProcessOptions text;
  text.input = Input::text(std::string(200'000, 'y'));
  EXPECT_EQ(run_process({"cat"}, std::move(text)).out.size(), 200'000U);

  const fs::path path = fs::temp_directory_path() / ("tg_process_" + std::to_string(::getpid()));
  ProcessOptions to_file;
  to_file.out = Output::file(path);
  EXPECT_TRUE(run_process(shell("echo first"), std::move(to_file)).status.ok());
  ProcessOptions added;
  added.out = Output::file(path, true);
  EXPECT_TRUE(run_process(shell("echo second"), std::move(added)).status.ok());
  ProcessOptions from_file;
  from_file.input = Input::file(path);
  EXPECT_EQ(run_process({"cat"}, std::move(from_file)).out, "first\nsecond\n");
  fs::remove(path);

  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ProcessOptions to_pipe;
  to_pipe.out = Output::descriptor(ends[1]);
  EXPECT_TRUE(run_process(shell("echo through"), std::move(to_pipe)).status.ok());
  ::close(ends[1]);
  ProcessOptions from_pipe;
  from_pipe.input = Input::descriptor(ends[0]);
  EXPECT_EQ(run_process({"cat"}, std::move(from_pipe)).out, "through\n");
  ::close(ends[0]);
}

TEST(RunProcess, inherits_its_input_and_discards_its_output_on_request) {
  ProcessOptions options;
  options.input = Input::inherited();
  options.out = Output::nothing();
  const ProcessResult result =
      run_process(shell("echo lost; readlink /proc/self/fd/0 >&2"), std::move(options));
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, fs::read_symlink("/proc/self/fd/0").string() + "\n");
}

TEST(RunProcess, sets_directory_environment_and_limits) {
  ::setenv("TG_TEST_OLD", "old", 1);
  ProcessOptions options;
  options.directory = "/usr";
  options.environment = {"TG_TEST_OLD=new", "TG_TEST_MORE=a=b"};
  options.limits = {{RLIMIT_NOFILE, 77, 88}};
  EXPECT_EQ(
      run_process(shell("pwd; echo $TG_TEST_OLD $TG_TEST_MORE; ulimit -Sn; ulimit -Hn"), std::move(options))
          .out,
      "/usr\nnew a=b\n77\n88\n");
  ProcessOptions alone;
  alone.environment = {"ONLY=this"};
  alone.inherits_environment = false;
  EXPECT_EQ(run_process({"/usr/bin/env"}, std::move(alone)).out, "ONLY=this\n");
}

TEST(RunProcess, passes_on_no_descriptors_signal_masks_or_handlers) {
  const int status = in_child([] {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGUSR1, [](int) {});
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    std::array<int, 2> ends{};
    REQUIRE_IN_CHILD(::pipe(ends.data()) == 0);  // without O_CLOEXEC
    const ProcessResult result = run_process(shell(
        "ls /proc/self/fd | wc -l; cat /proc/self/status | grep -E 'Sig(Blk|Ign|Cgt)' | tr -d '[:space:]'"));
    // 0, 1, 2, and the directory that ls reads.
    REQUIRE_IN_CHILD(result.out ==
                     "4\nSigBlk:0000000000000000SigIgn:0000000000000000SigCgt:0000000000000000");
  });
  EXPECT_EQ(status, 0);
}

TEST(RunProcess, says_why_a_command_cannot_be_started) {
  const auto what = [](const std::vector<std::string>& command, ProcessOptions options = {}) -> std::string {
    try {
      run_process(command, std::move(options));
      return "";
    } catch (const std::system_error& e) {
      return e.what();
    }
  };
  EXPECT_EQ(what({"no-such-program-here"}),
            "tg::Process: no program `no-such-program-here` in PATH: No such file or directory");
  EXPECT_EQ(what({"/no/such"}),
            "tg::Process: `/no/such` cannot be started: executing it: No such file or directory");
  EXPECT_EQ(what({"/etc/passwd"}),
            "tg::Process: `/etc/passwd` cannot be started: executing it: Permission denied");
  ProcessOptions nowhere;
  nowhere.directory = "/no/such/folder";
  EXPECT_EQ(what({"true"}, std::move(nowhere)),
            "tg::Process: `true` cannot be started: changing to its directory: No such file or directory");
  ProcessOptions limit;
  limit.limits = {{9'999, 1, 1}};
  EXPECT_EQ(what({"true"}, std::move(limit)),
            "tg::Process: `true` cannot be started: setting a limit: Invalid argument");
  ProcessOptions file;
  file.out = Output::file("/no/such/file");
  EXPECT_EQ(what({"true"}, std::move(file)),
            "tg::Process: cannot open `/no/such/file`: No such file or directory");
  EXPECT_FALSE(has_children());
}

TEST(RunProcess, is_stopped_although_the_command_writes_faster_than_its_lines_are_read) {
  const Mark mark;
  ThreadGroup group("commands");
  std::atomic<int> lines{0};
  const auto task = group.add_task([&] {
    ProcessOptions options = marked(mark);
    options.out = Output::lines([&](std::string_view) { ++lines; });
    return run_process({"yes"}, std::move(options)).status;
  });
  eventually([&] { return lines > 100'000; });
  group.set_event("stop");
  EXPECT_TRUE(task.get().stopped);
  EXPECT_EQ(mark.count(), 0U);
}

TEST(RunProcess, returns_although_a_descendant_that_may_stay_goes_on_writing) {
  const Mark mark;
  ProcessOptions options = marked(mark);
  options.descendants_may_stay = true;
  EXPECT_EQ(run_process(shell("yes & exit 5"), std::move(options)).status.code, 5);
  for (const pid_t left : mark.processes()) ::kill(left, SIGKILL);
}

[[noreturn]] void run_with_a_handler_for_the_stop_signal() {
  std::signal(SIGRTMAX - 3, [](int) {});
  const Mark mark;
  const StopScope scope(1h);
  try {
    run_process({"sleep", "1000"}, marked(mark));
  } catch (const std::system_error&) {
    std::exit(mark.count() == 0 ? 0 : 1);
  }
  std::exit(2);
}

TEST(RunProcess, throws_if_the_program_handles_the_stop_signal) {
  if (!runtime::kHasStoppableCalls) GTEST_SKIP() << "calls poll, without a signal";
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(run_with_a_handler_for_the_stop_signal(), testing::ExitedWithCode(0), "");
}

TEST(RunProcess, refuses_invalid_options) {
  EXPECT_THROW(run_process({}), std::invalid_argument);
  EXPECT_THROW(run_process({"true", std::string("a\0b", 3)}), std::invalid_argument);
  ProcessOptions variable;
  variable.environment = {"without"};
  EXPECT_THROW(run_process({"true"}, std::move(variable)), std::invalid_argument);
  ProcessOptions same;
  same.out = Output::same_as_out();
  EXPECT_THROW(run_process({"true"}, std::move(same)), std::invalid_argument);
  ProcessOptions limit;
  limit.limits = {{-1, 5, 6}};
  EXPECT_THROW(run_process({"true"}, std::move(limit)), std::invalid_argument);
  ProcessOptions lines;
  lines.out = Output::lines({});
  EXPECT_THROW(run_process({"true"}, std::move(lines)), std::invalid_argument);
  ProcessOptions path;
  path.out = Output::file(std::string("/tmp/a\0b", 8));
  EXPECT_THROW(run_process({"true"}, std::move(path)), std::invalid_argument);
}

}  // namespace
}  // namespace run_process_test
}  // namespace tg::test
