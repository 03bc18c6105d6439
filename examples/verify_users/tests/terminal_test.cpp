// SPDX-License-Identifier: Apache-2.0
// What verify_users draws on a terminal of 60 columns and 12 lines.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "fake_service.hpp"
#include "program.hpp"

namespace verify_users {
namespace {

struct Drawing {
  std::string text;                    // without escape sequences
  std::vector<std::string> sequences;  // "[11A"
};

Drawing taken_apart(const std::string& output) {
  Drawing drawing;
  for (std::size_t at = 0; at < output.size(); ++at) {
    if (output[at] != '\x1b') {
      drawing.text += output[at];
      continue;
    }
    const std::size_t end = std::min(output.find_first_not_of("[0123456789;", at + 1), output.size() - 1);
    drawing.sequences.push_back(output.substr(at + 1, end - at));
    at = end;
  }
  return drawing;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines{""};
  for (const char c : text) {
    if (c == '\n') lines.emplace_back();
    else if (c != '\r') lines.back() += c;
  }
  return lines;
}

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
  EXPECT_EQ(exit.status, 130) << exit.out << exit.err;
  EXPECT_TRUE(has(exit.out, "MainThread")) << exit.out;
  EXPECT_TRUE(has(exit.out, "└─ ")) << exit.out;
  EXPECT_TRUE(has(exit.out, "Verifying Users")) << exit.out;
  EXPECT_TRUE(has(exit.out, "of 40 done")) << exit.out;
  EXPECT_TRUE(has(exit.out, "Stopped: signal")) << exit.out;

  EXPECT_TRUE(has(exit.out, "\x1b[32m")) << "no colour";
  std::size_t jumps = 0;
  for (const std::string& sequence : taken_apart(exit.out).sequences) {
    if (!sequence.ends_with('A')) continue;
    ++jumps;
    EXPECT_LT(std::stoi(sequence.substr(1)), 12) << "higher than the screen";
  }
  EXPECT_GE(jumps, 1U);
}

TEST(OnATerminal, lines_leave_the_last_column_free) {
  const Exit exit = run_on_terminal({"TERM=xterm", "LC_ALL=C"}, "\x1b[11A");
  // The frames are between the first line, which says what will be done, and the last "erase what is below".
  const std::size_t begin = exit.out.find('\n') + 1;
  const Drawing frames = taken_apart(exit.out.substr(begin, exit.out.rfind("\x1b[J") - begin));
  const std::vector<std::string> lines = lines_of(frames.text);
  for (const std::string& line : lines) {
    EXPECT_LE(line.size(), 59U) << line;  // in the C locale a column is a byte
    EXPECT_TRUE(std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; })) << line;
  }
  EXPECT_GE(lines.size(), 11U);
}

TEST(OnATerminal, no_color_is_respected) {
  const Exit exit = run_on_terminal({"TERM=xterm", "NO_COLOR=1"}, "\x1b[11A");
  for (const std::string& sequence : taken_apart(exit.out).sequences)
    EXPECT_FALSE(sequence.ends_with('m')) << sequence;
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
