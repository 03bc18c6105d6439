// SPDX-License-Identifier: Apache-2.0
// The names of outcomes.
#include <threadgroup/outcomes.hpp>

namespace tg {
inline namespace v0 {

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

const char* to_string(WaitOutcome outcome) noexcept {
  switch (outcome) {
    case WaitOutcome::ready:
      return "ready";
    case WaitOutcome::event_set:
      return "event_set";
    case WaitOutcome::timed_out:
      return "timed_out";
    case WaitOutcome::closed:
      return "closed";
  }
  return "unknown";
}

}  // namespace v0
}  // namespace tg
