// SPDX-License-Identifier: Apache-2.0
// What verify_users draws on a terminal of 60 columns and 12 lines.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <regex>
#include <string>

#include "fake_service.hpp"
#include "program.hpp"

namespace verify_users {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string many_users() {
  std::string text = "user\n";
  for (int i = 0; i < 40; ++i) text += "slow" + std::to_string(i) + '\n';
  return file_with("screen.csv", text);
}

// Many more groups than lines: 40 users at once, each with a group of its own.
Exit run_on_terminal(const std::vector<std::string>& environment, const std::string& until,
                     std::vector<std::string> more = {}) {
  const FakeService service;
  std::vector<std::string> arguments{"--service",  service.url(),       "--max", "40", "--users",
                                     many_users(), "--request-timeout", "1h"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  Program program(arguments, Program::Output::terminal, environment);
  EXPECT_TRUE(program.prints(until));
  program.send(SIGINT);
  return program.wait();
}

TEST(OnATerminal, live_tree_is_redrawn_in_place_and_never_scrolls) {
  // Not before the second frame has been begun over the first one.
  const Exit exit = run_on_terminal({"TERM=xterm", "LC_ALL=C.UTF-8"}, "\x1b[11A");
  EXPECT_EQ(exit.status, 1) << exit.out << exit.err;
  EXPECT_TRUE(has(exit.out, "MainThread")) << exit.out;
  EXPECT_TRUE(has(exit.out, "└─ ")) << exit.out;
  EXPECT_TRUE(has(exit.out, "Verifying Users")) << exit.out;
  EXPECT_TRUE(has(exit.out, "of 40 done")) << exit.out;
  EXPECT_TRUE(has(exit.out, "Stopped: signal")) << exit.out;

  const std::regex up("\x1b\\[(\\d+)A");
  int jumps = 0;
  for (std::sregex_iterator it(exit.out.begin(), exit.out.end(), up), end; it != end; ++it, ++jumps) {
    EXPECT_LT(std::stoi((*it)[1]), 12) << "higher than the screen";
  }
  EXPECT_GE(jumps, 1);
}

TEST(OnATerminal, lines_leave_the_last_column_free) {
  const Exit exit = run_on_terminal({"TERM=xterm", "LC_ALL=C"}, "\x1b[11A");
  const std::string drawn = exit.out.substr(0, exit.out.rfind("\x1b[J"));
  std::size_t lines = 0;
  // A drawn line ends in "erase to the end of the line"; in the C locale a column is a byte.
  const std::regex line("([^\r\n]*)\x1b\\[K");
  const std::regex escapes("\x1b\\[[0-9;]*[A-Za-z]");
  for (std::sregex_iterator it(drawn.begin(), drawn.end(), line), end; it != end; ++it, ++lines) {
    const std::string text = std::regex_replace((*it)[1].str(), escapes, "");
    EXPECT_LE(text.size(), 59U) << text;
    EXPECT_TRUE(std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; })) << text;
  }
  EXPECT_GE(lines, 11U);
}

TEST(OnATerminal, no_color_is_respected) {
  const Exit exit = run_on_terminal({"TERM=xterm", "NO_COLOR=1"}, "\x1b[11A");
  EXPECT_FALSE(std::regex_search(exit.out, std::regex("\x1b\\[[0-9]*m"))) << exit.out;
}

TEST(OnATerminal, dumb_terminal_gets_plain_lines) {
  const Exit exit = run_on_terminal({"TERM=dumb"}, "40 running");
  EXPECT_FALSE(has(exit.out, "\x1b")) << exit.out;
  EXPECT_TRUE(has(exit.out, "Stopped: signal")) << exit.out;
}

TEST(OnATerminal, plain_lines_can_be_asked_for) {
  const Exit exit = run_on_terminal({"TERM=xterm"}, "40 running", {"--plain"});
  EXPECT_FALSE(has(exit.out, "\x1b")) << exit.out;
}

}  // namespace
}  // namespace verify_users
