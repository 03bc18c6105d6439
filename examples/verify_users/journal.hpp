// SPDX-License-Identifier: Apache-2.0
// What happens, line by line, with the time since the start.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace verify_users {

// Prints each line at once, or keeps the last few for a live view. Thread safety: everything from any thread.
class Journal {
 public:
  enum class Lines { printed, kept };

  explicit Journal(Lines lines) : lines_(lines) {}

  void say(const std::string& line);

  std::vector<std::string> recent(std::size_t count) const;
  std::chrono::nanoseconds elapsed() const { return std::chrono::steady_clock::now() - start_; }

 private:
  const Lines lines_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  mutable std::mutex mutex_;
  std::deque<std::string> recent_;  // guarded by mutex_
};

}  // namespace verify_users
