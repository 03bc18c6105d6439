// SPDX-License-Identifier: Apache-2.0
// What a join says, in words.
#include <threadgroup/join_result.hpp>

#include "base/escaped.hpp"
#include "tree/counts_text.hpp"

namespace tg {
inline namespace v0 {

std::string JoinResult::str() const {
  std::string text;
  const char* before = ": ";
  if (!*this) {
    text = timed_out ? "timed out: " : "stopped while waiting: ";
    text += std::to_string(pending) + " pending, " + detail::describe_running(running.size(), running);
    before = ", ";
  } else if (reason) {
    text = std::string("stopped (") + to_string(reason->kind);
    // That the condition came true is all that its message says.
    if (!reason->message.empty() && reason->kind != ReasonKind::condition_met) text += ": " + reason->message;
    text += ")";
  } else {
    text = "done";
  }
  const std::string ends = detail::describe_ends(counts);
  if (!ends.empty()) text += before + ends;
  if (stop) text += detail::describe_slow_stop(*stop);
  return detail::escaped(text);
}

}  // namespace v0
}  // namespace tg
