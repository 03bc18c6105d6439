// SPDX-License-Identifier: Apache-2.0
// Schedules in a child process, which may crash or hang without harm to the others.
#include "explorations/explore.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

#include "base/sanitizers.hpp"
#include "runtime/flow.hpp"
#include "runtime/steady_clock.hpp"
#include "sim/search.hpp"

namespace tg::test {

namespace {

using sim::Plan;
using sim::Scheduler;

constexpr std::size_t kShownSteps = 300;
// These schedules are run twice and compared: the first ones, and each with a multiple of the second number.
constexpr std::uint64_t kRunTwice = 8;
constexpr std::uint64_t kRunTwiceEach = 1000;
constexpr int kSecondsWithoutPoint = 20;
int seconds_without_point = kSecondsWithoutPoint;

// What the child tells its parent, in shared memory, so that it survives a crash of the child.
struct ChildReport {
  volatile std::uint64_t points = 0;
  volatile std::uint64_t schedules = 0;
  volatile std::uint64_t digest = 0;  // of all schedules
  volatile std::size_t complete = 0;  // see `Search`
  volatile bool failed = false;
  char word[64] = {};
  char what[256] = {};
};

// Of the child.
Scheduler* scheduler = nullptr;
ChildReport* child_report = nullptr;
bool quiet = false;
const bool memory_is_weak = std::getenv("TG_SIM_WEAK") != nullptr;  // of all bodies
bool wants_digest = false;
bool had_failed_before = false;  // the test, in the parent

void report(const std::string& what) {
  child_report->failed = true;
  std::strncpy(child_report->what, what.c_str(), sizeof child_report->what - 1);
  if (quiet) return;
  const ::testing::TestInfo* const test = ::testing::UnitTest::GetInstance()->current_test_info();
  const std::string text = scheduler->trace().text(scheduler->names(), kShownSteps);
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n%sFlows:\n%sThat was: %s\nReplay: %sTG_SIM_REPLAY=%s %s --gtest_filter=%s.%s\n",
               what.c_str(), text.c_str(), scheduler->sleepers().c_str(), what.c_str(),
               memory_is_weak ? "TG_SIM_WEAK=1 " : "", scheduler->plan().word().c_str(),
               program_invocation_short_name, test->test_suite_name(), test->name());
}

[[noreturn]] void fail(const std::string& what) {
  report(what);
  ::_exit(1);
}

#if TG_ADDRESS_SANITIZER
void report_crashes() {}  // the sanitizer does
#else
void crashed(int signal) {
  const char* const name = ::strsignal(signal);
  report(std::string("the process crashed: ") + (name != nullptr ? name : "signal"));
  ::_exit(1);
}

void report_crashes() {
  static std::array<char, 1 << 16> stack;
  stack_t other{};
  other.ss_sp = stack.data();
  other.ss_size = stack.size();
  ::sigaltstack(&other, nullptr);
  struct sigaction action {};
  action.sa_handler = &crashed;
  action.sa_flags = SA_ONSTACK | static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) ::sigaction(signal, &action, nullptr);
}
#endif

void run_once(const Plan& plan, void (*body)()) {
  std::strncpy(child_report->word, plan.word().c_str(), sizeof child_report->word - 1);
  child_report->schedules = child_report->schedules + 1;
  scheduler->run(plan, memory_is_weak ? std::function<void()>([body] { weak_memory(), body(); }) : body);
  if (wants_digest) child_report->digest = child_report->digest * 31 + scheduler->trace().digest();
  if (::testing::Test::HasFailure() && !had_failed_before) fail("a check failed");
}

void run_twice(const Plan& plan, void (*body)()) {
  run_once(plan, body);
  const sim::Trace first = std::exchange(scheduler->trace(), sim::Trace());
  run_once(plan, body);
  if (first.digest() != scheduler->trace().digest())
    fail("control of the schedule was lost: the same schedule took another way the second time, at " +
         first.difference(scheduler->trace()));
}

// All schedules with few deviations from the simplest one.
void search(std::uint64_t schedules, void (*body)()) {
  sim::Search search(schedules);
  while (const auto plan = search.next()) {
    run_once(*plan, body);
    search.branch(*plan, scheduler->options());
  }
  child_report->complete = search.complete();
}

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// First the search, so that what fails with few deviations is shown with few.
void run_schedules(std::uint64_t schedules, void (*body)()) {
  const std::uint64_t before = number_from_environment("TG_SIM_BEFORE", 0);
  run_once({}, body);  // afterwards, what is made at the first use exists
  run_once({}, body);
  if (!quiet) search(schedules, body);
  for (std::uint64_t number = before + 1; number <= before + schedules; ++number) {
    const Plan plan = Plan::of_schedule(number, scheduler->choices());
    if (number <= before + kRunTwice || number % kRunTwiceEach == 0) run_twice(plan, body);
    else run_once(plan, body);
  }
}

// Why a process makes no progress.
std::string state_of(pid_t process) {
  const std::string folder = "/proc/" + std::to_string(process);
  std::string word, state;
  std::ifstream stat(folder + "/stat");
  stat >> word >> word >> state;
  if (state == "R") return "a loop without a point";
  std::string where;
  std::ifstream(folder + "/wchan") >> where;
  return "a flow blocks in the system" + (where.empty() ? "" : " (" + where + ")");
}

struct Outcome {
  bool failed = false;
  std::uint64_t schedules = 0;
  std::uint64_t points = 0;
  std::uint64_t digest = 0;
  std::size_t complete = 0;
  std::string word;  // of the last schedule
  std::string why;
};

// The body in a child process.
Outcome explore_in_child(std::uint64_t schedules, void (*body)(), bool be_quiet) {
  void* const page =
      ::mmap(nullptr, sizeof(ChildReport), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  child_report = ::new (page) ChildReport;
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) std::abort();
  std::fflush(stdout);
  std::fflush(stderr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    quiet = be_quiet;
    had_failed_before = ::testing::Test::HasFailure();
    if (quiet) {
      const int nowhere = ::open("/dev/null", O_WRONLY);
      ::dup2(nowhere, 1);
      ::dup2(nowhere, 2);
    }
    report_crashes();
    Scheduler simulated(&fail);
    scheduler = &simulated;
    simulated.count_points_in(&child_report->points);
    run_schedules(schedules, body);
    std::fflush(stdout);
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string why;
  std::uint64_t before = 0;
  for (int seconds = 0;;) {
    pollfd end{ends[0], POLLIN, 0};
    if (::poll(&end, 1, 1000) != 0) break;  // the child has ended
    seconds = child_report->points == before ? seconds + 1 : 0;
    before = child_report->points;
    if (seconds < seconds_without_point) continue;
    why = "control of the schedule was lost: " + state_of(child);
    ::kill(child, SIGKILL);
    break;
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (why.empty() && WIFSIGNALED(status))
    why = "the process crashed: signal " + std::to_string(WTERMSIG(status));
  if (why.empty() && status != 0) why = child_report->failed ? child_report->what : "the process crashed";
  if (!why.empty())
    why += ". Its trace is on stderr. Replay it with TG_SIM_REPLAY=" + std::string(child_report->word);
  Outcome outcome{child_report->failed || status != 0,
                  child_report->schedules,
                  child_report->points,
                  child_report->digest,
                  child_report->complete,
                  child_report->word,
                  why};
  ::munmap(page, sizeof(ChildReport));
  return outcome;
}

void replay(const Plan& plan, void (*body)()) {
  static ChildReport here;
  child_report = &here;
  Scheduler simulated(&fail);
  scheduler = &simulated;
  run_once({}, body);
  run_once({}, body);
  run_once(plan, body);
  std::printf("%s", simulated.trace().text(simulated.names(), ~std::size_t{0}).c_str());
}

}  // namespace

Scheduler& scheduler_of_body() { return *scheduler; }
void together(const std::vector<Scheduler::Part>& parts) { scheduler->together(parts); }
void hold_clock() { scheduler->hold_clock(); }
void weak_memory() { scheduler->weak_memory(); }
void reuse(const void* memory, std::size_t bytes) {
  if (auto* const weak = sim::WeakMemory::running()) weak->reuse(memory, bytes);
}
void pause() {
  const TimePoint end = runtime::after(Duration::from_nanos(1'000'000));
  while (runtime::now() < end) runtime::Flow::current().park_until(end);
}
void say(const std::string& text) { scheduler->say(text); }
void require(bool holds, const char* what) {
  if (!holds) scheduler->fail(what);
}

void explore(void (*body)()) {
  if (const char* const word = std::getenv("TG_SIM_REPLAY")) {
    const auto plan = Plan::from_word(word);
    ASSERT_TRUE(plan) << "TG_SIM_REPLAY is no word that a failure prints: " << word;
    return replay(*plan, body);
  }
  const auto begin = std::chrono::steady_clock::now();
  const Outcome outcome = explore_in_child(number_from_environment("TG_SIM_SCHEDULES", 10'000), body, false);
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
  std::printf("             %llu schedules, %llu points and %.1f us each; all with up to %zu deviations\n",
              static_cast<unsigned long long>(outcome.schedules),
              static_cast<unsigned long long>(outcome.points / outcome.schedules),
              took.count() / static_cast<double>(outcome.schedules), outcome.complete);
  EXPECT_FALSE(outcome.failed) << outcome.why;
}

void expect_found(detail::Planted mistake, const char* name, void (*body)(), std::size_t within) {
  detail::planted = mistake;
  if (std::getenv("TG_SIM_REPLAY") != nullptr) {
    explore(body);
  } else {
    const Outcome outcome = explore_in_child(within, body, true);
    EXPECT_TRUE(outcome.failed) << name << " was not found in " << outcome.schedules << " schedules";
    if (outcome.failed)
      std::printf("             found by schedule %llu, %s\n",
                  static_cast<unsigned long long>(outcome.schedules), outcome.word.c_str());
  }
  detail::planted = detail::Planted::nothing;
}

void expect_failure(void (*body)(), const std::string& text, int seconds) {
  seconds_without_point = seconds;
  const Outcome outcome = explore_in_child(100, body, true);
  seconds_without_point = kSecondsWithoutPoint;
  EXPECT_TRUE(outcome.failed);
  EXPECT_NE(outcome.why.find(text), std::string::npos) << outcome.why;
}

void expect_same_everywhere() {
  const char* const heaps[] = {"as it is", "with holes, and without the quick lists"};
  wants_digest = true;
  for (void (*const body)() : bodies()) {
    std::vector<std::uint64_t> digests;
    std::vector<void*> holes;
    for (const char* const heap : heaps) {
      if (heap != heaps[0]) {
        static_cast<void>(::mallopt(M_MXFAST, 0));
        for (std::size_t bytes = 16; bytes < 2048; bytes += 16) holes.push_back(std::malloc(bytes));
        for (std::size_t i = 0; i < holes.size(); i += 2) std::free(std::exchange(holes[i], nullptr));
      }
      const Outcome outcome = explore_in_child(20, body, false);
      EXPECT_FALSE(outcome.failed) << heap << ": " << outcome.why;
      digests.push_back(outcome.digest);
    }
    EXPECT_EQ(digests[0], digests[1]);
    for (void* hole : holes) std::free(hole);
  }
  wants_digest = false;
}

std::vector<void (*)()>& bodies() {
  static std::vector<void (*)()> all;
  return all;
}

std::vector<detail::Planted>& looked_for() {
  static std::vector<detail::Planted> all;
  return all;
}

}  // namespace tg::test
