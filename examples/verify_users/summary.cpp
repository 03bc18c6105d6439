// SPDX-License-Identifier: Apache-2.0
// The summary.
#include "summary.hpp"

#include <algorithm>
#include <exception>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "duration.hpp"
#include "tree_picture.hpp"

namespace verify_users {
namespace {

constexpr std::size_t kMostListed = 30;

// Lines of the same kind; of very many only the first are listed.
class List {
 public:
  void add(std::string line) {
    if (++count_ <= kMostListed) lines_.push_back(std::move(line));
  }
  std::size_t count() const { return count_; }
  std::string str() const {
    std::string text;
    for (const std::string& line : lines_) text += "  " + line + '\n';
    if (count_ > kMostListed) text += fmt::format("  ... and {} more\n", count_ - kMostListed);
    return text;
  }

 private:
  std::size_t count_ = 0;
  std::vector<std::string> lines_;
};

struct Outcomes {
  List verified;
  List failed;
  List interrupted;
  std::vector<std::string> skipped;
};

void sort_in(Outcomes& outcomes, const tg::TaskHandle<Verified>& task) {
  try {
    const Verified verified = task.get();
    outcomes.verified.add(fmt::format("{:<20} {} {}, {}", verified.user, verified.tries,
                                      verified.tries == 1 ? "try" : "tries", format_duration(verified.took)));
  } catch (const tg::TaskSkipped&) {
    outcomes.skipped.push_back(task.name());
  } catch (const Interrupted& error) {
    outcomes.interrupted.add(fmt::format("{:<20} {}", task.name(), error.what()));
  } catch (...) {
    outcomes.failed.add(
        fmt::format("{:<20} {}", task.name(), tg::describe_exception(std::current_exception())));
  }
}

std::string first_few(std::vector<std::string> names) {
  constexpr std::size_t kFew = 4;
  if (names.size() > kFew) {
    names.resize(kFew);
    names.push_back("...");
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

// How far the event had come when it was just set: a moment that is over before a live view can show it.
std::string picture_of_stop(const Ending& ending) {
  std::string text = "\nThe groups when they were stopped:\n";
  for (const StyledLine& line :
       draw_tree(ending.stopped, {.lines = 20, .columns = ending.columns}, ending.unicode)) {
    text += "  " + line.render(std::max<std::size_t>(ending.columns, 3) - 3, false) + '\n';
  }
  return text;
}

// From where the event was set, over the groups that it reached, to the tasks that it interrupted and those
// that it kept from running.
std::string reason_chain(const Ending& ending, const Outcomes& outcomes) {
  if (!ending.reason) return "Nobody stopped it: every task came to its end.\n";
  std::vector<std::string> reached;
  for (const tg::NodeSnapshot& node : ending.stopped.nodes) {
    const bool by_this = node.reason && node.reason->origin == ending.reason->origin;
    if (by_this && node.id != ending.reason->origin) reached.push_back(node.name);
  }
  std::string chain = fmt::format("Stopped: {}\n", ending.reason->str());
  if (!reached.empty())
    chain += fmt::format("  > reached {} more groups: {}\n", reached.size(), first_few(reached));
  if (outcomes.interrupted.count() > 0) {
    chain += fmt::format("  > interrupted {} running tasks\n", outcomes.interrupted.count());
  }
  if (!outcomes.skipped.empty()) {
    chain += fmt::format("  > skipped {} pending tasks: {}\n", outcomes.skipped.size(),
                         first_few(outcomes.skipped));
  }
  return chain + fmt::format("From then to the last task's exit: {}\n",
                             format_duration((ending.ended - ending.reason->when).to_chrono()));
}

}  // namespace

std::string summarize(const Ending& ending) {
  Outcomes outcomes;
  for (const auto& task : ending.tasks) sort_in(outcomes, task);

  std::string text = ending.reason ? picture_of_stop(ending) : "";
  text += fmt::format("\nVerified: {} ({} needed)\n{}", outcomes.verified.count(), ending.needed,
                      outcomes.verified.str());
  const tg::GroupStatistics& counts = ending.counts;
  const std::string stopped = counts.stopped > 0 ? fmt::format("{} stopped, ", counts.stopped) : "";
  text += fmt::format("Tasks: {} succeeded, {} failed, {}{} skipped\n", counts.succeeded, counts.failed,
                      stopped, counts.skipped);
  if (outcomes.failed.count() > 0)
    text += fmt::format("Failed: {}\n{}", outcomes.failed.count(), outcomes.failed.str());
  if (outcomes.interrupted.count() > 0) {
    text += fmt::format("Interrupted: {}\n{}", outcomes.interrupted.count(), outcomes.interrupted.str());
  }
  return text + reason_chain(ending, outcomes);
}

}  // namespace verify_users
