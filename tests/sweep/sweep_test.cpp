// SPDX-License-Identifier: Apache-2.0
// Whole programs, in each of which one allocation or one creation of a thread after the other fails. Each run
// is a process of its own, so that what the library makes at its first use can fail as well.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "base/sanitizers.hpp"

#include "sweep/faults.hpp"
#include "sweep/ledger.hpp"
#include "sweep/programs.hpp"

namespace tg::test {
namespace {

constexpr int kAllWell = 0;
constexpr int kWrong = 1;
constexpr int kNothingFailed = 77;
constexpr int kQuietRuns = 3;
constexpr unsigned kSecondsForOne = 20;

int run(const Program& program, Fault fault, std::uint64_t first, std::uint64_t failing) {
  Ledger ledger;
  set_unseen_failure_handler(
      [&ledger](const std::string&, const Failure& failure) { ledger.judge(failure.exception); });
  bool struck = false;
  {
    const Faults faults(fault, first, failing);
    try {
      program.run(ledger);
    } catch (...) {
      ledger.judge(std::current_exception());
    }
    struck = Faults::has_struck();
  }
  const std::string wrong = ledger.audit();
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    return kWrong;
  }
  return struck ? kAllWell : kNothingFailed;
}

// The wait status of a child that runs the program with this fault.
int run_in_child(const Program& program, Fault fault, std::uint64_t first, std::uint64_t failing) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(kSecondsForOne);
    ::_exit(run(program, fault, first, failing));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

std::string describe(int status) {
  if (WIFEXITED(status)) return "exit status " + std::to_string(WEXITSTATUS(status));
  if (WTERMSIG(status) == SIGALRM) return "it hangs";
  return std::string("signal ") + ::strsignal(WTERMSIG(status));
}

using Case = std::tuple<Program, Fault, std::uint64_t>;

class Sweep : public testing::TestWithParam<Case> {};

TEST_P(Sweep, program_survives_each_failure) {
  const auto& [program, fault, failing] = GetParam();
  // A child of a sanitized program is dear: there, every seventh.
  const std::uint64_t step = detail::kSanitized ? 7 : 1;
  std::uint64_t points = 0;
  // Threads make a program take its steps in another order, and attempt more or less: one run that comes to
  // its end before its failure says little.
  int quiet = 0;
  for (std::uint64_t first = 1; quiet < kQuietRuns; first += step) {
    const int status = run_in_child(program, fault, first, failing);
    if (WIFEXITED(status) && WEXITSTATUS(status) == kNothingFailed) {
      ++quiet;
      continue;
    }
    quiet = 0;
    ++points;
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kAllWell)
        << "program " << program.name << ", " << to_string(fault) << " " << first << " and the next "
        << failing - 1 << ": " << describe(status);
    if (HasFailure() && points > 20) break;
  }
  EXPECT_GT(points, 0U) << "nothing was made to fail";
  std::printf("%s: %llu points\n", program.name, static_cast<unsigned long long>(points));
  RecordProperty("points", static_cast<int>(points));
}

std::string name_of(const testing::TestParamInfo<Case>& test) {
  const auto& [program, fault, failing] = test.param;
  return std::string(program.name) + "_" + to_string(fault) + (failing == 1 ? "_once" : "_for_a_while");
}

INSTANTIATE_TEST_SUITE_P(Programs, Sweep,
                         testing::Combine(testing::ValuesIn(programs()),
                                          testing::Values(Fault::allocation, Fault::thread),
                                          testing::Values<std::uint64_t>(1, 10)),
                         name_of);

}  // namespace
}  // namespace tg::test
