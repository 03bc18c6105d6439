// SPDX-License-Identifier: Apache-2.0
// The journal.
#include "journal.hpp"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

namespace verify_users {

void Journal::say(const std::string& line) {
  constexpr std::size_t kMostKept = 20;
  const std::string stamped =
      fmt::format("[{:7.3f}s] {}", std::chrono::duration<double>(elapsed()).count(), line);
  if (lines_ == Lines::printed) {
    std::fputs((stamped + '\n').c_str(), stdout);  // one call, so that lines of threads do not mix
    std::fflush(stdout);
    return;
  }
  const std::lock_guard lock(mutex_);
  recent_.push_back(stamped);
  if (recent_.size() > kMostKept) recent_.pop_front();
}

std::vector<std::string> Journal::recent(std::size_t count) const {
  const std::lock_guard lock(mutex_);
  const std::size_t kept = std::min(count, recent_.size());
  return {recent_.end() - static_cast<std::ptrdiff_t>(kept), recent_.end()};
}

}  // namespace verify_users
