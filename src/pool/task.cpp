// SPDX-License-Identifier: Apache-2.0
// Names of tasks and their states, and the rare removal from the middle of a list.
#include <threadgroup/pool/task.hpp>

namespace tg {

const char* to_string(TaskStatus status) noexcept {
  switch (status) {
    case TaskStatus::pending:
      return "pending";
    case TaskStatus::running:
      return "running";
    case TaskStatus::succeeded:
      return "succeeded";
    case TaskStatus::failed:
      return "failed";
    case TaskStatus::stopped:
      return "stopped";
    case TaskStatus::skipped:
      return "skipped";
  }
  return "unknown";
}

std::string describe_failure(const Failure& failure) {
  std::string text = describe_exception(failure.exception);
  if (failure.where.line != 0) text += " (added at " + to_string(failure.where) + ")";
  return text;
}

namespace detail {

std::string Task::name() const {
  const std::string* const given = given_name();
  return given == nullptr ? "task " + std::to_string(number()) : *given;
}

}  // namespace detail
}  // namespace tg
