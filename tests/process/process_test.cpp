// SPDX-License-Identifier: Apache-2.0
// Commands: what they get, what they give, and that a stop leaves none of their descendants.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <latch>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <threadgroup/process.hpp>
#include <threadgroup/threadgroup.hpp>

#include "base/sanitizers.hpp"
#include "support/eventually.hpp"
#include "support/in_child.hpp"

namespace tg::test {
namespace process_test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

std::vector<std::string> shell(std::string script) { return {"/bin/sh", "-c", std::move(script)}; }

// --- Finding processes that a command has left: by a variable in their environment ---

class Mark {
 public:
  Mark() : variable_("TG_TEST_MARK=" + std::to_string(::getpid()) + "." + std::to_string(++count_)) {}
  const std::string& variable() const { return variable_; }

  // Those that are not zombies.
  std::vector<pid_t> processes() const {
    std::vector<pid_t> all;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream file(entry.path() / "environ", std::ios::binary);
      const std::string text((std::istreambuf_iterator<char>(file)), {});
      if (("\0" + std::string(1, '\0') + text).find(variable_) == std::string::npos) continue;
      if (is_supervisor(entry.path())) continue;
      all.push_back(std::stoi(name));
    }
    return all;
  }
  std::size_t count() const { return processes().size(); }

 private:
  static bool is_supervisor(const fs::path& of) {
    std::ifstream file(of / "comm");
    std::string name;
    std::getline(file, name);
    return name == "tg-supervisor";
  }
  inline static int count_ = 0;
  const std::string variable_;
};

ProcessOptions marked(const Mark& mark, Duration grace = 5s) {
  ProcessOptions options;
  options.environment = {mark.variable()};
  options.grace = grace;
  return options;
}

bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

pid_t supervisor_of(const Process& process) {
  std::ifstream stat("/proc/" + std::to_string(process.pid()) + "/stat");
  std::string text;
  std::getline(stat, text);
  return std::stoi(text.substr(text.rfind(')') + 4));
}

// --- What a command gives ---

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

TEST(RunProcess, gives_lines_to_a_function_also_one_without_an_end) {
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

// --- What a command gets ---

TEST(RunProcess, gives_the_command_its_input) {
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

TEST(RunProcess, hands_on_no_descriptors_masks_and_dispositions) {
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

// --- Refusals ---

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
            "tg::Process: `true` cannot be started: its directory: No such file or directory");
  ProcessOptions limit;
  limit.limits = {{9'999, 1, 1}};
  EXPECT_EQ(what({"true"}, std::move(limit)),
            "tg::Process: `true` cannot be started: a limit: Invalid argument");
  ProcessOptions file;
  file.out = Output::file("/no/such/file");
  EXPECT_EQ(what({"true"}, std::move(file)), "tg::Process: /no/such/file: No such file or directory");
  EXPECT_THROW(run_process({}), std::invalid_argument);
  EXPECT_THROW(run_process({"true", std::string("a\0b", 3)}), std::invalid_argument);
  ProcessOptions variable;
  variable.environment = {"without"};
  EXPECT_THROW(run_process({"true"}, std::move(variable)), std::invalid_argument);
  ProcessOptions same;
  same.out = Output::same_as_out();
  EXPECT_THROW(run_process({"true"}, std::move(same)), std::invalid_argument);
  EXPECT_FALSE(has_children());
}

// --- Stops ---

// Ignores TERM, and leaves a process that ignores it, too, in a session of its own, by a double fork.
const char* const kStubborn =
    "trap '' TERM; (setsid /bin/sh -c \"trap '' TERM; while :; do sleep 1000; done\" &) ; while :; do sleep 1000; done";

TEST(Process, is_ended_by_a_stop_of_its_group) {
  const Mark mark;
  ThreadGroup group("commands");
  std::atomic<pid_t> pid{0};
  const auto task = group.add_task([&] {
    Process process({"sleep", "1000"}, marked(mark));
    pid = process.pid();
    return process.wait();
  });
  eventually([&] { return pid != 0; });
  EXPECT_EQ(mark.processes(), std::vector<pid_t>{pid});
  const auto start = std::chrono::steady_clock::now();
  group.set_event("stop");
  const ExitStatus status = task.get();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3s) << "TERM has ended it, not the grace of 5 s";
  EXPECT_TRUE(status.stopped);
  EXPECT_EQ(status.signal, SIGTERM);
  EXPECT_EQ(status.killed, 0);
  EXPECT_EQ(status.text(), "stopped: killed by signal 15 (Terminated)");
  EXPECT_EQ(mark.count(), 0U);
  EXPECT_FALSE(has_children());
}

TEST(Process, is_ended_by_a_deadline_around_the_wait_with_stubborn_descendants) {
  const Mark mark;
  Process process(shell(kStubborn), marked(mark, 100ms));
  eventually([&] { return mark.count() == 4; });
  const StopScope scope(1ms);
  const ExitStatus status = process.wait();
  EXPECT_TRUE(status.stopped);
  EXPECT_EQ(status.signal, SIGKILL);
  EXPECT_GE(status.killed, 2) << "the shells; their `sleep`s do not ignore TERM";
  EXPECT_EQ(mark.count(), 0U);
}

TEST(Process, is_not_started_in_a_stopped_task) {
  ThreadGroup group("commands");
  std::latch there(1);
  const auto task = group.add_task([&] {
    there.count_down();
    thread_utils::event_aware_sleep(1h);
    Process process({"/no/such/program"});
    EXPECT_EQ(process.pid(), 0);
    EXPECT_FALSE(process.send_signal(SIGTERM));
    return process.wait();
  });
  there.wait();
  group.set_event("stop");
  const ExitStatus status = task.get();
  EXPECT_TRUE(status.stopped);
  EXPECT_EQ(status.text(), "stopped: not started");
}

TEST(Process, is_ended_with_its_object) {
  const Mark mark;
  {
    const Process process(shell(kStubborn), marked(mark, 0ms));
    eventually([&] { return mark.count() == 4; });
  }
  EXPECT_EQ(mark.count(), 0U);
  EXPECT_FALSE(has_children());
}

TEST(Process, that_writes_more_than_a_pipe_holds_is_ended_with_its_object) {
  const Mark mark;
  ProcessOptions options = marked(mark);
  options.out = Output::captured();
  { const Process process(shell("head -c 1000000 /dev/zero"), std::move(options)); }
  EXPECT_EQ(mark.count(), 0U);
}

TEST(Process, whose_command_leaves_descendants_ends_them) {
  const Mark mark;
  const ProcessResult result = run_process(shell("setsid sleep 1000 >/dev/null 2>&1 & exit 4"), marked(mark));
  EXPECT_EQ(result.status.code, 4);
  EXPECT_FALSE(result.status.stopped);
  EXPECT_EQ(mark.count(), 0U);
}

TEST(Process, may_leave_descendants_if_they_may_stay) {
  const Mark mark;
  ProcessOptions options = marked(mark);
  options.descendants_may_stay = true;
  EXPECT_TRUE(
      run_process(shell("setsid sleep 1000 >/dev/null 2>&1 & exit 0"), std::move(options)).status.ok());
  eventually([&] { return mark.count() == 1; });
  ::kill(mark.processes().at(0), SIGKILL);
}

TEST(Process, gets_signals_until_it_has_ended) {
  Process process(shell("trap 'exit 9' USR1; echo ready; while :; do sleep 0.01; done"));
  EXPECT_THROW(process.send_signal(0), std::invalid_argument);
  leave_time(50ms);
  EXPECT_TRUE(process.send_signal(SIGUSR1));
  const ExitStatus status = process.wait();
  EXPECT_TRUE(status.code == 9 || status.signal == SIGUSR1) << status.text();
  EXPECT_FALSE(process.send_signal(SIGUSR1));
  EXPECT_EQ(process.wait().text(), status.text());
}

// 200 commands that ignore TERM and fork twice: 100 ms after the grace none is left.
TEST(ManyProcesses, that_ignore_term_are_gone_soon_after_the_grace) {
  constexpr int kCommands = detail::kSanitized ? 20 : 200;
  const Mark mark;
  ThreadGroup group("commands", {.max_concurrent_threads = static_cast<std::size_t>(kCommands)});
  std::latch there(kCommands);
  std::atomic<int> killed{0};
  for (int i = 0; i < kCommands; ++i) {
    group.post([&] {
      Process process(shell(kStubborn), marked(mark, 2s));
      there.count_down();
      killed += process.wait().killed;
    });
  }
  there.wait();
  eventually([&] { return mark.count() == std::size_t{4} * kCommands; });
  const auto start = std::chrono::steady_clock::now();
  group.set_event("stop");
  EXPECT_TRUE(group.join().failures.empty());
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(mark.count(), 0U);
  EXPECT_GE(killed, 2 * kCommands);
  EXPECT_FALSE(has_children());
  RecordProperty("milliseconds_after_the_grace",
                 static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took - 2s).count()));
}

// --- The program ends ---

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

TEST(ProcessOfAKilledProgram, goes_on_if_it_is_to_outlive_it) {
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

TEST(Process, leaves_its_command_alone_when_a_forked_child_destroys_it) {
  Process process(shell("read line; echo $line"), [] {
    ProcessOptions options;
    options.input = Input::inherited();
    return options;
  }());
  const Mark mark;
  Process sleeper({"sleep", "1000"}, marked(mark));
  EXPECT_EQ(in_child([&] { const Process theirs(std::move(sleeper)); }), 0);
  EXPECT_EQ(mark.count(), 1U);
}

// --- Programs with habits ---

TEST(Process, works_while_the_program_ignores_or_reaps_its_children) {
  EXPECT_EQ(in_child([] {
              std::signal(SIGCHLD, SIG_IGN);
              REQUIRE_IN_CHILD(run_process({"true"}).status.ok());
              REQUIRE_IN_CHILD(run_process({"false"}).status.code == 1);
            }),
            0);
  if (TG_THREAD_SANITIZER != 0) return;  // it ends a child that starts threads
  EXPECT_EQ(in_child([] {
              std::atomic<bool> over{false};
              std::thread reaper([&] {
                while (!over) ::waitpid(-1, nullptr, WNOHANG);
              });
              for (int i = 0; i < 20; ++i) REQUIRE_IN_CHILD(run_process({"false"}).status.code == 1);
              over = true;
              reaper.join();
            }),
            0);
}

TEST(Process, works_while_the_program_has_no_standard_descriptors) {
  EXPECT_EQ(in_child([] {
              for (int fd = 0; fd < 3; ++fd) ::close(fd);
              const ProcessResult result = run_process(shell("echo out; echo err >&2"));
              REQUIRE_IN_CHILD(result.out == "out\n" && result.err == "err\n");
            }),
            0);
}

TEST(Process, says_that_its_supervisor_was_killed_and_the_command_is_killed_too) {
  const Mark mark;
  Process process({"sleep", "1000"}, marked(mark));
  ::kill(supervisor_of(process), SIGKILL);
  EXPECT_THROW(process.wait(), std::runtime_error);
  eventually([&] { return mark.count() == 0; });
}

// --- Races and hostile neighbours ---

// Orders that the supervisor has not read when it ends reset the connection; its reports are there all the same.
TEST(Process, tells_how_it_has_ended_although_signals_were_still_on_their_way) {
  Process process(shell("sleep 0.05; exit 7"));
  const pid_t supervisor = supervisor_of(process);
  ::kill(supervisor, SIGSTOP);
  for (int i = 0; i < 5; ++i) process.send_signal(SIGCONT);
  std::ifstream stat;
  eventually([&] {  // a zombie, which the supervisor has not reaped yet
    stat.close();
    stat.open("/proc/" + std::to_string(process.pid()) + "/stat");
    std::string text;
    std::getline(stat, text);
    return text.find(") Z ") != std::string::npos;
  });
  ::kill(supervisor, SIGCONT);
  EXPECT_EQ(process.wait().code, 7);
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

TEST(Process, belongs_to_the_process_that_has_started_it) {
  const Mark mark;
  Process process({"sleep", "1000"}, marked(mark));
  EXPECT_EQ(in_child([&] {
              REQUIRE_IN_CHILD(throws_forked([&] { process.wait(); }));
              REQUIRE_IN_CHILD(!process.send_signal(SIGKILL));
            }),
            0);
  EXPECT_EQ(mark.count(), 1U);
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

TEST(RunProcess, throws_if_the_program_has_the_stop_signal) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(run_with_a_handler_for_the_stop_signal(), testing::ExitedWithCode(0), "");
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

TEST(Process, that_starts_another_one_when_it_is_ended_is_ended_before_the_grace) {
  const Mark mark;
  Process process(shell("trap 'sleep 1000; exit 0' TERM; echo ready; sleep 1000 & wait"), marked(mark, 1h));
  eventually([&] { return mark.count() == 2; });
  leave_time(50ms);
  const StopScope scope(1ms);
  const ExitStatus status = process.wait();
  EXPECT_TRUE(status.stopped);
  EXPECT_EQ(status.killed, 0);
}

TEST(RunProcess, refuses_what_makes_no_sense) {
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
}  // namespace process_test
}  // namespace tg::test
