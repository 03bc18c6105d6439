// SPDX-License-Identifier: Apache-2.0
// The texts of errors, and the handler for failures that no caller has seen.
#include <threadgroup/errors.hpp>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include <threadgroup/detail/mutex.hpp>

#include "base/escaped.hpp"
#include "base/immortal.hpp"
#include "base/report.hpp"
#include "runtime/fork.hpp"

namespace tg {
inline namespace v0 {

std::string describe_failure(const Failure& failure) {
  std::string text = describe_exception(failure.exception);
  if (failure.where.line != 0) text += " (added at " + to_string(failure.where) + ")";
  return text;
}

namespace {
// A text with thousands of failures is too long to read; the list has them all.
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

// --- Failures that no caller has seen ---

namespace {

// Shared, so that a handler that is replaced while it runs lives until it returns.
using SharedHandler = std::shared_ptr<const UnseenFailureHandler>;

struct HandlerHolder {
  detail::Mutex mutex;
  SharedHandler handler TG_GUARDED_BY(mutex);
};
constinit detail::Immortal<HandlerHolder> only;  // groups may be destroyed later than static objects

[[gnu::constructor(runtime::at_load::kLeaves)]] void errors_at_load() {
  runtime::hold_across_forks([]() -> detail::Mutex& { return only.value.mutex; });
}

void write_to_stderr(const std::string& group_path, const Failure& failure) {
  detail::report_line({"unseen failure: task '", failure.task, "' of group '", group_path,
                       "' failed: ", describe_failure(failure)});
}

}  // namespace

UnseenFailureHandler set_unseen_failure_handler(UnseenFailureHandler handler) {
  SharedHandler next = handler ? std::make_shared<const UnseenFailureHandler>(std::move(handler)) : nullptr;
  HandlerHolder& holder = only.value;
  {
    detail::MutexLock lock(holder.mutex);
    std::swap(holder.handler, next);
  }
  return next ? *next : UnseenFailureHandler();
}

namespace detail {

void report_unseen(const std::string& group_path, const std::vector<Failure>& failures) noexcept {
  SharedHandler handler;
  {
    HandlerHolder& holder = only.value;
    MutexLock lock(holder.mutex);
    handler = holder.handler;
  }
  for (const Failure& failure : failures) {
    try {
      if (handler) {
        (*handler)(group_path, failure);
      } else {
        write_to_stderr(group_path, failure);
      }
    } catch (...) {  // the handler failed: then this is the last place to say it
      report_line({"the handler for unseen failures threw for task '", failure.task, "' of group '",
                   group_path, "'"});
    }
  }
}

}  // namespace detail

}  // namespace v0
}  // namespace tg
