// SPDX-License-Identifier: Apache-2.0
// The summary.
#include "summary.hpp"

#include <algorithm>
#include <exception>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "duration.hpp"
#include "styled_line.hpp"
#include "tree_picture.hpp"

namespace verify_users {
namespace {

using Lines = std::vector<std::string>;

// Sizes where no terminal limits them.
constexpr std::size_t kMostListed = 30;
constexpr std::size_t kMostGroups = 20;
constexpr std::size_t kColumns = 120;

// Lines of the same kind under a heading. If there are more than fit, the last one says how many are left
// out.
class List {
 public:
  void add(std::string line) { lines_.push_back("  " + std::move(line)); }
  std::size_t count() const { return lines_.size(); }

  void print(std::size_t most, Lines& text) const {
    const bool all = count() <= most;
    const std::size_t shown = all ? count() : std::max<std::size_t>(most, 1) - 1;
    text.insert(text.end(), lines_.begin(), lines_.begin() + static_cast<std::ptrdiff_t>(shown));
    if (!all && most > 0) text.push_back(fmt::format("  ... and {} more", count() - shown));
  }

 private:
  Lines lines_;
};

struct Outcomes {
  List verified;
  List failed;
  List interrupted;
  Lines skipped;
};

void sort_in(Outcomes& outcomes, const tg::TaskHandle<Verified>& task) {
  try {
    const Verified verified = task.get();
    outcomes.verified.add(fmt::format("{:<20} {} {}, {}", verified.user, verified.tries,
                                      verified.tries == 1 ? "try" : "tries", format_duration(verified.took)));
  } catch (const tg::TaskSkipped&) {
    outcomes.skipped.push_back(task.name());
  } catch (const tg::Stopped& error) {
    outcomes.interrupted.add(fmt::format("{:<20} {}", task.name(), error.what()));
  } catch (...) {
    outcomes.failed.add(
        fmt::format("{:<20} {}", task.name(), tg::describe_exception(std::current_exception())));
  }
}

std::size_t width_of(const std::optional<Terminal>& terminal) {
  return std::max<std::size_t>(terminal ? terminal->columns() : kColumns, 20) - 1;
}

std::string first_few(Lines names) {
  constexpr std::size_t kFew = 2;
  if (names.size() > kFew) {
    names.resize(kFew);
    names.push_back("...");
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

// The main thread's tree alone: the users are verified there.
tg::ForestSnapshot tree_of_main_thread(const tg::ForestSnapshot& forest) {
  tg::ForestSnapshot tree;
  bool in_main = false;
  for (const tg::NodeSnapshot& node : forest.nodes) {  // roots first, each followed by its tree
    if (!node.parent) in_main = node.kind == tg::NodeKind::main_thread;
    if (in_main) tree.nodes.push_back(node);
  }
  return tree;
}

// The tree right after the event was set: a moment that is over before a live view can show it.
void add_picture_of_stop(const Ending& ending, std::size_t most, Lines& text) {
  constexpr std::size_t kHeading = 2;
  if (!ending.reason || most < kHeading + 3) return;
  const std::size_t columns = width_of(ending.terminal) - 2;
  const bool unicode = ending.terminal && ending.terminal->unicode();
  const tg::ForestSnapshot tree = tree_of_main_thread(ending.stopped);
  text.emplace_back("The groups when they were stopped:");
  for (const StyledLine& line : draw_tree(tree, {.lines = most - kHeading, .columns = columns}, unicode))
    text.push_back("  " + line.render(columns, false));
  text.emplace_back();
}

// Where the event was set, the groups that it reached, the tasks that it interrupted, and those that it kept
// from running.
Lines reason_chain(const Ending& ending, const Outcomes& outcomes) {
  if (!ending.reason) return {"Nothing stopped it: each task ended by itself."};
  Lines reached;
  for (const tg::NodeSnapshot& node : ending.stopped.nodes) {
    const bool by_this = node.reason && node.reason->origin == ending.reason->origin;
    if (by_this && node.id != ending.reason->origin) reached.push_back(node.name);
  }
  Lines chain{fmt::format("Stopped: {}", ending.reason->str())};
  if (!reached.empty())
    chain.push_back(fmt::format("  > reached {} more groups: {}", reached.size(), first_few(reached)));
  if (outcomes.interrupted.count() > 0)
    chain.push_back(fmt::format("  > interrupted {} running tasks", outcomes.interrupted.count()));
  if (!outcomes.skipped.empty()) {
    chain.push_back(fmt::format("  > skipped {} pending tasks: {}", outcomes.skipped.size(),
                                first_few(outcomes.skipped)));
  }
  chain.push_back(fmt::format("From then to the last task's exit: {}",
                              format_duration((ending.ended - ending.reason->when).to_chrono())));
  return chain;
}

std::string totals(const tg::GroupStatistics& counts) {
  const std::string stopped = counts.stopped > 0 ? fmt::format("{} stopped, ", counts.stopped) : "";
  return fmt::format("Tasks: {} succeeded, {} failed, {}{} skipped", counts.succeeded, counts.failed, stopped,
                     counts.skipped);
}

// How many lines each part may have. Of those that the headings leave, the picture gets up to half and each
// list what the lists before it left.
class Room {
 public:
  explicit Room(std::size_t lines) : left_(lines) {}

  std::size_t half() const { return left_ / 2; }
  std::size_t all() const { return left_; }
  void take(std::size_t lines) { left_ -= std::min(left_, lines); }

 private:
  std::size_t left_;
};

// A line that is too long for the terminal is continued below, broken at the end of a word.
Lines wrapped(const Lines& lines, const std::optional<Terminal>& terminal) {
  if (!terminal) return lines;
  Lines text;
  for (std::string line : lines) {
    while (columns_of(line) > width_of(terminal)) {
      const std::string fits = fitting(line, width_of(terminal));
      const std::size_t space = fits.rfind(' ');
      const std::size_t cut = space == std::string::npos || space < fits.size() / 2 ? fits.size() : space;
      text.push_back(fits.substr(0, cut));
      line = "    " + line.substr(cut == space ? cut + 1 : cut);
    }
    text.push_back(std::move(line));
  }
  return text;
}

std::string joined(const Lines& lines, const std::optional<Terminal>& terminal) {
  std::string text;
  for (const std::string& line : lines) text += (terminal ? fitting(line, width_of(terminal)) : line) + '\n';
  return text;
}

}  // namespace

std::string summarize(const Ending& ending) {
  Outcomes outcomes;
  for (const auto& task : ending.tasks) sort_in(outcomes, task);
  Lines chain = reason_chain(ending, outcomes);
  if (outcomes.verified.count() == 0 && outcomes.failed.count() > 0 && ending.own_accounts_only)
    chain.emplace_back("The accounts are those of this machine; --accounts FILE names others.");

  chain = wrapped(chain, ending.terminal);

  Lines text;
  if (!ending.terminal) text.emplace_back();
  const std::size_t headings = 4;
  const std::size_t kept = text.size() + headings + chain.size() + 2;
  const std::size_t rows = ending.terminal ? ending.terminal->rows() : 0;
  Room room(rows > kept ? rows - kept : 0);
  const auto most = [&](std::size_t otherwise, std::size_t share) {
    return ending.terminal ? share : otherwise;
  };
  const auto print_list = [&](const std::string& heading, const List& list, std::size_t share) {
    text.push_back(heading);
    const std::size_t before = text.size();
    list.print(most(kMostListed, share), text);
    room.take(text.size() - before);
  };

  add_picture_of_stop(ending, most(kMostGroups + 2, room.half()), text);
  room.take(text.size());
  print_list(fmt::format("Verified: {} ({} needed)", outcomes.verified.count(), ending.needed),
             outcomes.verified, std::max<std::size_t>(room.half(), std::min<std::size_t>(room.all(), 1)));
  text.push_back(totals(ending.counts));
  if (outcomes.failed.count() > 0) {
    print_list(fmt::format("Failed: {}", outcomes.failed.count()), outcomes.failed,
               outcomes.interrupted.count() > 0 ? room.half() : room.all());
  }
  if (outcomes.interrupted.count() > 0) {
    print_list(fmt::format("Interrupted: {}", outcomes.interrupted.count()), outcomes.interrupted,
               room.all());
  }
  text.insert(text.end(), chain.begin(), chain.end());
  return joined(text, ending.terminal);
}

}  // namespace verify_users
