// SPDX-License-Identifier: Apache-2.0
// Verifying one user: what each task of the program does.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include <threadgroup/threadgroup.hpp>

#include "client.hpp"
#include "journal.hpp"

namespace verify_users {

struct Verified {
  std::string user;
  std::size_t tries = 0;
  std::chrono::nanoseconds took{0};
};

// The service has answered, and the answer is no.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Asks the service; throws as Client::ask does.
using Ask = std::function<Answer(const std::string& user, Check check)>;

// Asks the service about users, and counts those that were verified. Thread safety: verify() from any thread.
class Verification {
 public:
  struct Patience {
    std::size_t retries = 3;
    std::chrono::milliseconds pause{1'000};
  };

  Verification(Ask ask, Patience patience, Journal& journal)
      : ask_(std::move(ask)), patience_(patience), journal_(journal) {}

  // Runs in a task. Returns when the user is verified, and throws otherwise: Refused, Unavailable, BadAnswer,
  // or Interrupted when the task's group was stopped.
  Verified verify(const std::string& user);

  std::size_t verified() const { return verified_.load(); }

 private:
  // One try: all checks at the same time, in that group.
  void ask_everything(const std::string& user, tg::ThreadGroup& checks) const;

  const Ask ask_;
  const Patience patience_;
  Journal& journal_;
  std::atomic<std::size_t> verified_{0};  // atomic: the main thread's condition reads it
};

}  // namespace verify_users
