// SPDX-License-Identifier: Apache-2.0
// The client of the account service: one blocking question at a time, which a stop cuts short.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

#include <threadgroup/thread_utils.hpp>

#include "accounts.hpp"

namespace verify_users {

// The service did not answer, but might the next time: unreachable, time-out, 429, 5xx.
struct Unavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The service gave an answer that will not change if it is asked again.
struct BadAnswer : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The answer was no longer wanted. A task that throws it was stopped, and has not failed.
struct Interrupted : tg::Stopped {
  explicit Interrupted(const std::string& what)
      : tg::Stopped(what, tg::thread_utils::reason().value_or(tg::Reason{})) {}
};

// Safe to use from many threads: each question opens a connection of its own.
class Client {
 public:
  // `url` is http://host[:port][/path]; throws BadInput for anything else.
  Client(const std::string& url, std::chrono::milliseconds time_out);

  // Throws one of the errors above. A stop of the caller ends a question that waits for its answer at once.
  Answer ask(const std::string& user, Check check) const;

  std::string url() const { return origin_ + path_; }

 private:
  std::string origin_;  // scheme, host and port
  std::string path_;    // without a slash at the end
  std::chrono::milliseconds time_out_;
};

}  // namespace verify_users
