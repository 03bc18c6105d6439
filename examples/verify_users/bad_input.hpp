// SPDX-License-Identifier: Apache-2.0
// The one error for what the user of the program got wrong; main() turns it into exit status 2.
#pragma once

#include <stdexcept>

namespace verify_users {

struct BadInput : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace verify_users
