// SPDX-License-Identifier: Apache-2.0
// The options of the command line.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "service.hpp"

namespace verify_users {

struct Options {
  std::string users_file = "/etc/passwd";
  std::optional<std::string> service_url;    // none: a service of our own, in this process
  std::optional<std::string> accounts_file;  // none: that service knows the accounts of this machine
  std::size_t max = 10;
  std::size_t need = 1;
  std::chrono::milliseconds timeout{600'000};
  std::size_t retries = 3;
  std::chrono::milliseconds retry_pause{1'000};
  std::chrono::milliseconds request_timeout{5'000};
  ServiceOptions service;
  bool plain = false;
  bool simulated = false;  // a day of it, in simulated time
};

// Throws BadInput for an invalid command line; prints and exits for --help.
Options parse_options(int argc, const char* const* argv);

}  // namespace verify_users
