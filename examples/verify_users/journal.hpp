// SPDX-License-Identifier: Apache-2.0
// What happens, line by line, with the time since the start.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include <threadgroup/clock.hpp>

namespace verify_users {

// Prints each line at once, or keeps the last few for a live view. Thread safety: everything from any thread.
class Journal {
 public:
  enum class Lines { printed, kept };

  explicit Journal(Lines lines) : lines_(lines) {}

  void say(const std::string& line);

  std::vector<std::string> recent(std::size_t count) const;
  std::chrono::nanoseconds elapsed() const { return (tg::now() - start_).to_chrono(); }

 private:
  const Lines lines_;
  const tg::TimePoint start_ = tg::now();
  mutable std::mutex mutex_;
  std::deque<std::string> recent_;  // guarded by mutex_
};

}  // namespace verify_users
