// SPDX-License-Identifier: Apache-2.0
// Trying again after a failure: only after one that may pass, and not forever.
#include <iostream>
#include <stdexcept>
#include <string>

#include <threadgroup/threadgroup.hpp>
using namespace std::chrono_literals;

struct Busy : std::runtime_error {
  using std::runtime_error::runtime_error;
};

int main() {
  const tg::RetryOptions options{.max_tries = 4, .first_delay = 10ms, .retry_if = tg::thrown<Busy>()};
  int tries = 0;
  const auto ask = [&tries](const std::string& user) {
    std::cout << "try " << ++tries << " for " << user << '\n';
    if (user == "nobody") throw std::invalid_argument("no such user");
    if (tries < 3) throw Busy("busy");
    return user + " is valid";
  };

  tg::ThreadGroup group("verify", {.max_concurrent_threads = 1});
  std::cout << group.add_task(tg::with_retries(ask, options), std::string("root")).get() << '\n';

  tries = 0;
  try {
    group.add_task(tg::with_retries(ask, options), std::string("nobody")).get();
  } catch (const std::invalid_argument& error) {
    std::cout << error.what() << ", so one try was enough\n";
  }
}
