// SPDX-License-Identifier: Apache-2.0
// The child process, and which schedules it runs.
#include "explorations/child.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
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
#if TG_ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif
#include "sim/dpor.hpp"
#include "sim/search.hpp"

namespace tg::test {

ChildSettings settings;

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

namespace {

using sim::Explorer;
using sim::Plan;

constexpr std::size_t kShownSteps = 300;
// These schedules are run twice and compared: the first ones, and each with a multiple of the second number.
constexpr std::uint64_t kRunTwice = 8;
constexpr std::uint64_t kRunTwiceEach = 1000;

// What the child tells its parent, in shared memory, so that it survives a crash of the child.
struct ChildReport {
  volatile std::uint64_t points = 0;
  volatile std::uint64_t schedules = 0;
  volatile std::uint64_t digest = 0;  // of all schedules
  // Of the search, see `Dpor` and `Search`.
  volatile std::size_t searched = 0;
  volatile std::size_t needless = 0;
  volatile std::size_t deviations = 0;
  volatile bool all = false;
  volatile bool is_reduced = false;
  volatile bool failed = false;
  char word[4096] = {};  // a path may be long
  char what[256] = {};
};

// Of the child.
Explorer* scheduler = nullptr;
ChildReport* child_report = nullptr;
bool quiet = false;
bool body_has_weak_memory = false;
const bool memory_is_weak = std::getenv("TG_SIM_WEAK") != nullptr;  // of all bodies
bool had_failed_before = false;                                     // the test, in the parent

void note_word(const Plan& plan) {
  std::strncpy(child_report->word, plan.word().c_str(), sizeof child_report->word - 1);
}

void report(const std::string& what) {
  child_report->failed = true;
  note_word(scheduler->plan());
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
// The sanitizer does.
void report_crashes() {
  __sanitizer_set_death_callback([] { note_word(scheduler->plan()); });
}
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
  note_word(plan);
  child_report->schedules = child_report->schedules + 1;
  scheduler->run(plan, memory_is_weak ? std::function<void()>([body] {
                   body_has_weak_memory = true, scheduler->weak_memory(), body();
                 })
                                      : body);
  if (settings.wants_digest) child_report->digest = child_report->digest * 31 + scheduler->trace().digest();
  if (::testing::Test::HasFailure() && !had_failed_before) fail("a check failed");
}

// The last schedule once more.
void run_again(void (*body)()) {
  const Plan plan = scheduler->plan();
  const sim::Trace first = std::exchange(scheduler->trace(), sim::Trace());
  run_once(plan, body);
  child_report->schedules = child_report->schedules - 1;
  if (first.digest() != scheduler->trace().digest())
    fail("control of the schedule was lost: the same schedule took another course the second time, at " +
         first.difference(scheduler->trace()));
}

bool is_run_twice(std::uint64_t number) { return number <= kRunTwice || number % kRunTwiceEach == 0; }

// All schedules with few deviations from the simplest one.
void search(std::uint64_t schedules, void (*body)()) {
  sim::Search search(schedules);
  while (const auto plan = search.next()) {
    run_once(*plan, body);
    search.branch(*plan, scheduler->options());
    child_report->searched = child_report->searched + 1;
  }
  child_report->all = search.is_exhausted();
  child_report->deviations = search.complete();
}

// All schedules that differ in more than the order of independent steps, or as many as there is time for.
void search_reduced(std::uint64_t schedules, void (*body)()) {
  sim::Dpor search(scheduler->trace(), schedules);
  child_report->is_reduced = true;
  while (search.begin()) {
    scheduler->follow(&search);
    run_once({}, body);
    search.end();
    scheduler->follow(nullptr);
    if (search.has_lost_control()) fail("control of the schedule was lost: a path had other options");
    if (is_run_twice(search.schedules())) run_again(body);
    child_report->searched = search.schedules();
    child_report->needless = search.needless();
    child_report->deviations = search.deviations();
  }
  child_report->all = search.is_complete();
}

// First the search, so that what fails with few deviations is shown with few.
void run_schedules(std::uint64_t schedules, void (*body)()) {
  const std::uint64_t before = number_from_environment("TG_SIM_BEFORE", 0);
  run_once({}, body);  // afterwards, what is made at the first use exists
  run_once({}, body);
  child_report->schedules = 0;
  const bool searches_alone = settings.only == "search" || settings.only == "dpor";
  if (searches_alone || (settings.only.empty() && !quiet)) {
    if (settings.only == "search" || body_has_weak_memory) search(schedules, body);
    else search_reduced(schedules, body);
  }
  if (searches_alone) return;
  for (std::uint64_t number = before + 1; number <= before + schedules; ++number) {
    // Of four numbers in a row, the one before a multiple of four is for a walk.
    const std::uint64_t seed = settings.only == "pct"    ? number + number / 3
                               : settings.only == "walk" ? 4 * number - 1
                                                         : number;
    run_once(Plan::of_schedule(seed, scheduler->choices()), body);
    if (is_run_twice(number - before)) run_again(body);
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

}  // namespace

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
    // The watchdog asks for the word, because a search makes the path while the schedule runs.
    std::signal(SIGUSR1, [](int) {
      note_word(scheduler->plan());
      ::_exit(1);
    });
    Explorer simulated(&fail);
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
    if (seconds < settings.seconds_without_point) continue;
    why = "control of the schedule was lost: " + state_of(child);
    ::kill(child, SIGUSR1);
    ::poll(&end, 1, 100);
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
                  child_report->searched,
                  child_report->needless,
                  child_report->deviations,
                  child_report->all,
                  child_report->is_reduced,
                  child_report->word,
                  why};
  ::munmap(page, sizeof(ChildReport));
  return outcome;
}

void replay(const Plan& plan, void (*body)()) {
  static ChildReport here;
  child_report = &here;
  Explorer simulated(&fail);
  scheduler = &simulated;
  run_once({}, body);
  run_once({}, body);
  run_once(plan, body);
  std::printf("%s", simulated.trace().text(simulated.names(), ~std::size_t{0}).c_str());
}

Explorer& scheduler_of_body() { return *scheduler; }

Explorer& scheduler_here() {
  static ChildReport here;
  static Explorer simulated(&fail);
  child_report = &here;
  scheduler = &simulated;
  return simulated;
}

void note_weak_memory() { body_has_weak_memory = true; }

}  // namespace tg::test
