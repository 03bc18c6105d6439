// SPDX-License-Identifier: Apache-2.0
// Runs a command for each of many inputs, some at a time, in the manner of GNU parallel:
//
//     run_commands -j 8 --stop-on-failure --timeout 60s -- gzip -k {} ::: *.log
//     find . -name '*.png' | run_commands --tree -- optipng -quiet {}
//
// Ctrl-C ends all commands with everything that they have started.
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <threadgroup/process.hpp>
#include <threadgroup/threadgroup.hpp>

namespace {

struct Options {
  std::size_t jobs = std::max(1U, std::thread::hardware_concurrency());
  double timeout_seconds = 0;  // none
  double grace_seconds = 5;
  bool stops_on_failure = false;
  bool makes_tree = false;
  std::vector<std::string> command;
  std::vector<std::string> inputs;
};

Options parse(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Runs a command for each input, several at a time. Inputs are the arguments after :::, or else the lines of standard input.",
      "run_commands"};
  app.footer(
      "In COMMAND {} is the input and {#} its number; without {} the input is the last argument.\n"
      "With --tree the input a/b/c is run in the group a/b, which is a part of the group a. Each group has a line\n"
      "at the end, which counts what is below it, too. With --stop-on-failure a command that fails then stops its\n"
      "own group and all below it, and other groups go on; -j counts the commands of all groups.\n"
      "Exit status: 0 all have succeeded, 1 some have not, 2 bad usage, 128 + n stopped by signal n (130: Ctrl-C).");
  const CLI::AsNumberWithUnit seconds(
      std::map<std::string, double>{{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}},
      CLI::AsNumberWithUnit::UNIT_REQUIRED, "TIME");
  app.add_option("-j,--jobs", options.jobs, "how many run at a time; one for each processor by default")
      ->check(CLI::PositiveNumber);
  app.add_option("--timeout", options.timeout_seconds,
                 "time limit of each command, such as 500ms or 60s; none by default")
      ->transform(seconds);
  app.add_option("--grace", options.grace_seconds,
                 "time between TERM and KILL for a command that is ended (5s)")
      ->transform(seconds);
  app.add_flag("--stop-on-failure", options.stops_on_failure,
               "the first command that fails stops all others; with --tree those of its group and below");
  app.add_flag(
      "--tree", options.makes_tree,
      "nested groups by the folders of the inputs: a command in a/b is part of the groups a/b and a");
  app.prefix_command();  // the rest is the command's
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  std::vector<std::string> rest = app.remaining();
  if (!rest.empty() && rest.front() == "--") rest.erase(rest.begin());
  const auto separator = std::find(rest.begin(), rest.end(), ":::");
  options.command.assign(rest.begin(), separator);
  if (separator != rest.end()) {
    options.inputs.assign(std::next(separator), rest.end());
  } else {
    for (std::string line; std::getline(std::cin, line);) options.inputs.push_back(line);
  }
  if (options.command.empty()) {
    std::cerr << "run_commands: there is no command; try run_commands --help\n";
    std::exit(2);
  }
  return options;
}

void replace_all(std::string& text, const std::string& what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

std::vector<std::string> command_for(const Options& options, std::size_t number) {
  std::vector<std::string> command = options.command;
  const std::string& input = options.inputs[number];
  const auto has_place = [](const std::string& text) { return text.find("{}") != std::string::npos; };
  if (std::none_of(command.begin(), command.end(), has_place)) command.emplace_back("{}");
  for (std::string& text : command) {
    replace_all(text, "{#}", std::to_string(number + 1));
    replace_all(text, "{}", input);
  }
  return command;
}

// Prints the output of each command once all earlier inputs are printed.
class InOrder {
 public:
  void print(std::size_t number, tg::ProcessResult result) {
    const std::lock_guard lock(mutex_);
    done_.emplace(number, std::move(result));
    for (auto next = done_.begin(); next != done_.end() && next->first == next_;
         next = done_.erase(next), ++next_)
      print(next->second);
  }
  // The rest: inputs whose commands were skipped have left gaps.
  void print_all() {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, result] : done_) print(result);
    done_.clear();
  }

 private:
  static void print(const tg::ProcessResult& result) {
    std::fwrite(result.out.data(), 1, result.out.size(), stdout);
    std::fflush(stdout);
    std::fwrite(result.err.data(), 1, result.err.size(), stderr);
    if (result.out_lost + result.err_lost > 0)
      std::cerr << "run_commands: " << result.out_lost + result.err_lost << " bytes of output were lost\n";
  }
  std::mutex mutex_;
  std::map<std::size_t, tg::ProcessResult> done_;
  std::size_t next_ = 0;
};

tg::Duration seconds(double count) { return tg::Duration(std::chrono::duration<double>(count)); }

// One command, in a task. A failure is an exception, so that the group counts it.
void run(const Options& options, std::size_t number, InOrder& output) {
  tg::ProcessOptions how;
  how.grace = seconds(options.grace_seconds);
  how.out = tg::Output::captured(std::size_t{64} << 20);
  how.err = tg::Output::captured(std::size_t{64} << 20);
  tg::ProcessResult result;
  {
    const tg::StopScope deadline(options.timeout_seconds > 0 ? seconds(options.timeout_seconds)
                                                             : tg::Duration::max());
    result = tg::run_process(command_for(options, number), std::move(how));
  }
  const tg::ExitStatus status = result.status;
  output.print(number, std::move(result));
  if (status.ok()) return;
  tg::thread_utils::throw_if_event_set();  // it was stopped with its group
  if (options.stops_on_failure) tg::thread_utils::set_event("a command has failed");
  throw std::runtime_error(options.inputs[number] + ": " + (status.stopped ? "timed out" : status.text()));
}

struct Counts {
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
  std::uint64_t stopped = 0;

  void add(const Counts& other) {
    succeeded += other.succeeded;
    failed += other.failed;
    stopped += other.stopped;
  }
  void add(const tg::JoinResult& result) {
    succeeded += result.counts.succeeded;
    failed += result.counts.failed;
    stopped += result.counts.stopped + result.counts.skipped;
    for (const tg::Failure& failure : result.failures) {
      try {
        std::rethrow_exception(failure.exception);
      } catch (const std::exception& error) {
        std::cerr << "run_commands: " << error.what() << '\n';
      }
    }
  }
  std::string text() const {
    std::string text = std::to_string(succeeded) + " succeeded, " + std::to_string(failed) + " failed";
    return stopped > 0 ? text + ", " + std::to_string(stopped) + " stopped" : text;
  }
};

// The groups of the tree by their folders: "a/b" is a child of "a", which is a child of the group of all.
class Tree {
 public:
  explicit Tree(tg::ThreadGroup& all) : all_(all) {}

  // The group of the input: that of its folder.
  tg::ThreadGroup& group_of(const std::string& input) { return group(parent_of(input)); }
  // Waits for all groups, those below first, and prints a line for each.
  Counts wait() {
    std::map<std::string, Counts> counts;
    for (auto one = groups_.rbegin(); one != groups_.rend(); ++one) {  // "a/b" comes before "a"
      counts[one->first].add(one->second.wait_idle());
      counts[parent_of(one->first)].add(counts[one->first]);
    }
    for (const auto& [folder, group] : groups_) std::cerr << folder << ": " << counts[folder].text() << '\n';
    return counts[""];
  }

 private:
  static std::string parent_of(const std::string& path) {
    const std::size_t end = path.rfind('/');
    return end == std::string::npos ? "" : path.substr(0, end);
  }
  tg::ThreadGroup& group(const std::string& folder) {
    if (folder.empty()) return all_;
    const auto found = groups_.find(folder);
    if (found != groups_.end()) return found->second;
    const tg::Attached below(group(parent_of(folder)));
    return groups_.try_emplace(folder, folder.substr(folder.rfind('/') + 1)).first->second;
  }

  tg::ThreadGroup& all_;
  std::map<std::string, tg::ThreadGroup> groups_;
};

// Adds all commands, and waits for them.
Counts run_all(const Options& options, tg::ThreadGroup& all, InOrder& output) {
  Tree tree(all);
  for (std::size_t number = 0; number < options.inputs.size(); ++number) {
    tg::ThreadGroup& group = options.makes_tree ? tree.group_of(options.inputs[number]) : all;
    group.post([&options, &output, number] { run(options, number, output); });
  }
  std::optional<tg::ProgressReporter> progress;
  if (!options.makes_tree && ::isatty(STDERR_FILENO) != 0 && ::isatty(STDOUT_FILENO) == 0) {
    progress.emplace(all, tg::progress_line());
  }
  Counts total = tree.wait();
  total.add(all.wait_idle());
  output.print_all();
  return total;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const tg::SignalShutdown on_signal({.stop = seconds(options.grace_seconds + 5)});
  const auto begin = std::chrono::steady_clock::now();
  InOrder output;
  tg::ThreadGroup all("commands",
                      {.max_concurrent_threads = options.jobs, .max_concurrent_in_subtree = options.jobs});
  const Counts counts = run_all(options, all, output);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::fprintf(stderr, "%zu commands in %.1f s: %s\n", options.inputs.size(), took.count(),
               counts.text().c_str());
  if (on_signal.signal() != 0) return 128 + on_signal.signal();
  return counts.failed + counts.stopped == 0 ? 0 : 1;
}
