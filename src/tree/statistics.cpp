// SPDX-License-Identifier: Apache-2.0
// A running task in words.
#include <threadgroup/statistics.hpp>

#include <fmt/format.h>

namespace tg {
inline namespace v0 {

std::string RunningTask::str() const {
  const auto seconds = [](Duration d) { return static_cast<double>(d.nanos()) / 1e9; };
  std::string text = fmt::format("'{}' (for {:.1f} s", name, seconds(running_for));
  if (!note.empty()) text += "; " + note;
  if (!waits_for.empty()) {
    text += "; waits for " + waits_for;
    if (waiting_for > Duration()) text += fmt::format(" for {:.1f} s", seconds(waiting_for));
  }
  if (added_at.line != 0) text += "; added at " + to_string(added_at);
  return text + ")";
}

}  // namespace v0
}  // namespace tg
