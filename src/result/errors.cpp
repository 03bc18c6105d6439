// SPDX-License-Identifier: Apache-2.0
// The texts of what joins and handles throw and say.
#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include <threadgroup/base/escaped.hpp>
#include <threadgroup/result/errors.hpp>
#include <threadgroup/result/join_result.hpp>

namespace tg {

namespace {
// A text with thousands of failures helps nobody; the list has them all.
constexpr std::size_t kMostInText = 10;

// Of a map, "item 3" says it all.
bool is_item(const char* what) { return std::string_view(what) == "item"; }

std::string describe(const char* what, const std::string& group, const std::vector<Failure>& failures) {
  const auto named = [what](const Failure& failure) {
    return is_item(what) ? failure.task : "'" + failure.task + "'";
  };
  if (failures.size() == 1) {
    return detail::escaped((is_item(what) ? "" : std::string(what) + " ") + named(failures.front()) +
                           " failed in group '" + group + "': " + describe_failure(failures.front()));
  }
  std::string text = std::to_string(failures.size()) + " " + what + "s failed in group '" + group + "'";
  for (std::size_t i = 0; i < std::min(failures.size(), kMostInText); ++i) {
    text += i == 0 ? ": " : "; ";
    text += named(failures[i]) + ": " + describe_failure(failures[i]);
  }
  if (failures.size() > kMostInText)
    text += "; and " + std::to_string(failures.size() - kMostInText) + " more";
  return detail::escaped(text);
}
}  // namespace

TaskFailures::TaskFailures(const std::string& group, std::vector<Failure> failures)
    : TaskFailures("task", group, std::move(failures)) {}

TaskFailures::TaskFailures(const char* what, const std::string& group, std::vector<Failure> failures)
    : std::runtime_error(describe(what, group, failures)), failures_(std::move(failures)) {}

TaskSkipped::TaskSkipped(const std::string& task, Reason reason)
    : TaskSkipped(task, detail::ReasonPointer::adopt(new detail::SharedReason(std::move(reason)))) {}
TaskSkipped::TaskSkipped(const std::string& task, const detail::ReasonPointer& reason)
    : Stopped("task '" + detail::escaped(task) + "' was skipped: " + reason->str(), reason) {}

WaitInterrupted::WaitInterrupted(const std::string& task, Reason reason)
    : WaitInterrupted(task, detail::ReasonPointer::adopt(new detail::SharedReason(std::move(reason)))) {}
WaitInterrupted::WaitInterrupted(const std::string& task, const detail::ReasonPointer& reason)
    : Stopped("the wait for task '" + detail::escaped(task) +
                  "' ended because the waiter's group was stopped: " + reason->str(),
              reason) {}

std::string JoinResult::str() const {
  std::string text;
  const char* before = ": ";
  if (!*this) {
    text = timed_out ? "timed out: " : "stopped while waiting: ";
    text += std::to_string(pending) + " pending, " + describe_running(running.size(), running);
    before = ", ";
  } else if (reason) {
    text = std::string("stopped (") + to_string(reason->kind);
    // That the condition came true is all that its message says.
    if (!reason->message.empty() && reason->kind != ReasonKind::condition_met) text += ": " + reason->message;
    text += ")";
  } else {
    text = "done";
  }
  const std::string ends = describe_ends(counts);
  if (!ends.empty()) text += before + ends;
  return detail::escaped(text);
}

}  // namespace tg
